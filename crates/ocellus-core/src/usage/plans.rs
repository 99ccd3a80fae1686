//! Plans: what operations cost and how many of them there are, as the configuration says.

use super::{Counted, OperationKind, Period, Quota};

/// The plan of everybody where the configuration names none: free and without end.
const USUAL: &str = "self-hosted";

/// What an account may use at which price.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What people call it.
    pub name: String,
    /// What has to be known to choose it, if not everybody may.
    pub signup_code: Option<String>,
    /// Dollars for an operation; what is not named costs nothing.
    pub prices: Vec<(OperationKind, f64)>,
    /// What there is at most.
    pub quotas: Vec<Quota>,
}

impl Plan {
    /// What one operation costs, in dollars.
    pub fn price(&self, kind: OperationKind) -> f64 {
        self.prices.iter().find(|(priced, _)| *priced == kind).map_or(0.0, |(_, dollars)| *dollars)
    }
}

/// The plans; a section of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageConfig {
    /// The first is that of everybody who has not chosen. Never empty.
    plans: Vec<Plan>,
}

impl Default for UsageConfig {
    fn default() -> Self {
        Self { plans: vec![plan(USUAL)] }
    }
}

fn plan(name: &str) -> Plan {
    Plan { name: name.to_owned(), signup_code: None, prices: Vec::new(), quotas: Vec::new() }
}

impl UsageConfig {
    /// Reads plans (`NAME` or `NAME CODE`), prices (`KIND DOLLARS`) and quotas (`WHAT NUMBER/PERIOD`). A price or quota that
    /// begins with `NAME:` is of that plan and stands before one of all plans. The error says which entry is wrong, and why.
    pub fn read(plans: &[String], prices: &[String], quotas: &[String]) -> Result<Self, String> {
        let mut config = match plans {
            [] => Self::default(),
            plans => Self { plans: plans.iter().map(|entry| read_plan(entry)).collect::<Result<_, _>>()? },
        };
        for (idx, plan) in config.plans.iter().enumerate() {
            if config.plans[..idx].iter().any(|other| other.name == plan.name) {
                return Err(format!("the plan `{}` is there twice", plan.name));
            }
        }
        for general in [false, true] {
            for entry in prices {
                config.add(entry, general, |plan, text| {
                    let (kind, dollars) = read_price(text)?;
                    if !plan.prices.iter().any(|(priced, _)| *priced == kind) {
                        plan.prices.push((kind, dollars));
                    }
                    Ok(())
                })?;
            }
            for entry in quotas {
                config.add(entry, general, |plan, text| {
                    let quota = read_quota(text)?;
                    let same = |other: &Quota| other.counted == quota.counted && other.period == quota.period;
                    if !plan.quotas.iter().any(same) {
                        plan.quotas.push(quota);
                    }
                    Ok(())
                })?;
            }
        }
        Ok(config)
    }

    /// Adds an entry to the plan that it names, or to all of them when it is `general`.
    fn add(
        &mut self,
        entry: &str,
        general: bool,
        add: impl Fn(&mut Plan, &str) -> Result<(), String>,
    ) -> Result<(), String> {
        let explained = |error| format!("`{entry}`: {error}");
        let Some((name, text)) = entry.split_once(':') else {
            let mut plans = self.plans.iter_mut().filter(|_| general);
            return plans.try_for_each(|plan| add(plan, entry)).map_err(explained);
        };
        if general {
            return Ok(());
        }
        let plan = self.plans.iter_mut().find(|plan| plan.name == name.trim());
        let plan = plan.ok_or_else(|| explained(format!("there is no plan `{}`", name.trim())))?;
        add(plan, text).map_err(explained)
    }

    /// All plans.
    pub fn plans(&self) -> &[Plan] {
        &self.plans
    }

    /// The plan with this name.
    pub fn plan(&self, name: &str) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.name == name)
    }

    /// The plan with this name, or the usual one where it is not offered any more.
    pub fn plan_or_usual(&self, name: &str) -> &Plan {
        self.plan(name).unwrap_or(&self.plans[0])
    }
}

fn read_plan(entry: &str) -> Result<Plan, String> {
    match entry.split_whitespace().collect::<Vec<_>>().as_slice() {
        [name] => Ok(plan(name)),
        [name, code] => Ok(Plan { signup_code: Some((*code).to_owned()), ..plan(name) }),
        _ => Err("a plan is written NAME or NAME CODE".to_owned()),
    }
}

fn read_price(text: &str) -> Result<(OperationKind, f64), String> {
    let form = || "a price is written KIND DOLLARS, such as `predict 0.0012`".to_owned();
    let [kind, dollars] = text.split_whitespace().collect::<Vec<_>>()[..] else { return Err(form()) };
    let dollars: f64 = dollars.parse().map_err(|_| form())?;
    if !dollars.is_finite() || dollars < 0.0 {
        return Err("a price is 0 or more".to_owned());
    }
    Ok((read_kind(kind)?, dollars))
}

fn read_quota(text: &str) -> Result<Quota, String> {
    let form = || "a quota is written WHAT NUMBER/PERIOD, such as `predict 5000/month`".to_owned();
    let [counted, amount] = text.split_whitespace().collect::<Vec<_>>()[..] else { return Err(form()) };
    let (limit, period) = amount.split_once('/').ok_or_else(form)?;
    let limit = match limit {
        "unlimited" => u64::MAX,
        limit => limit.parse().map_err(|_| form())?,
    };
    let period = Period::from_name(period)
        .ok_or_else(|| format!("`{period}` is none of second, minute, hour, day and month"))?;
    let counted = match counted {
        "calls" => Counted::Calls,
        kind => Counted::Operations(read_kind(kind)?),
    };
    Ok(Quota { counted, limit, period })
}

fn read_kind(name: &str) -> Result<OperationKind, String> {
    OperationKind::from_name(name)
        .ok_or_else(|| format!("`{name}` is none of predict, search, add_input, train and other"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(plans: &[&str], prices: &[&str], quotas: &[&str]) -> Result<UsageConfig, String> {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        UsageConfig::read(&texts(plans), &texts(prices), &texts(quotas))
    }

    #[test]
    fn without_settings_everything_is_free_and_without_end() {
        let config = read(&[], &[], &[]).unwrap();
        assert_eq!(config, UsageConfig::default());
        assert_eq!(config.plans()[0].name, "self-hosted");
        assert!(OperationKind::ALL.iter().all(|kind| config.plans()[0].price(*kind) == 0.0));
    }

    #[test]
    fn what_a_plan_has_of_its_own_stands_before_what_is_said_of_all() {
        let config = read(
            &["basic", "pro letmein"],
            &["predict 0.5", "pro: predict 0.25", "search 1"],
            &["calls 15/second", "predict 100/month", "pro: predict unlimited/month", "pro:search 7/day"],
        )
        .unwrap();
        let (basic, pro) = (config.plan("basic").unwrap(), config.plan("pro").unwrap());
        assert_eq!((basic.price(OperationKind::Predict), pro.price(OperationKind::Predict)), (0.5, 0.25));
        assert_eq!((pro.price(OperationKind::Search), pro.price(OperationKind::Train)), (1.0, 0.0));
        assert_eq!((basic.quotas.len(), pro.quotas.len()), (2, 3));
        let quota = |counted, limit, period| Quota { counted, limit, period };
        assert!(basic.quotas.contains(&quota(Counted::Calls, 15, Period::Second)));
        let predict = Counted::Operations(OperationKind::Predict);
        assert!(pro.quotas.contains(&quota(predict, u64::MAX, Period::Month)));
        assert_eq!(pro.signup_code.as_deref(), Some("letmein"));
        assert_eq!(config.plan_or_usual("gone").name, "basic");
    }

    #[test]
    fn a_wrong_entry_is_named_with_what_is_wrong() {
        let error = |prices: &[&str], quotas: &[&str]| read(&[], prices, quotas).unwrap_err();
        assert!(error(&["predict"], &[]).contains("`predict`"));
        assert!(error(&["predict -1"], &[]).contains("0 or more"));
        assert!(error(&["guess 1"], &[]).contains("`guess`"));
        assert!(error(&["pro: predict 1"], &[]).contains("no plan `pro`"));
        assert!(error(&[], &["predict 5"]).contains("NUMBER/PERIOD"));
        assert!(error(&[], &["predict 5/year"]).contains("`year`"));
        assert!(read(&["a", "a x"], &[], &[]).unwrap_err().contains("twice"));
        assert!(read(&["a b c"], &[], &[]).is_err());
    }
}
