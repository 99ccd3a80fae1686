//! Days, months and other spans of the calendar, all in UTC.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// Microseconds in an hour.
pub(crate) const HOUR_US: i64 = 3_600_000_000;
/// Microseconds in a day.
pub(crate) const DAY_US: i64 = 24 * HOUR_US;

/// A length of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl Span {
    /// When the span around a moment began.
    pub(crate) fn start_us(self, us: i64) -> i64 {
        let floor = |length_us: i64| us.div_euclid(length_us) * length_us;
        let date = |change: fn(Date) -> Date| date_of(us).map_or(us, |date| date_us(change(date)));
        match self {
            Self::Second => floor(1_000_000),
            Self::Minute => floor(60_000_000),
            Self::Hour => floor(HOUR_US),
            Self::Day => floor(DAY_US),
            // The first day of 1970 was a Thursday; weeks begin on Mondays.
            Self::Week => (us + 3 * DAY_US).div_euclid(7 * DAY_US) * 7 * DAY_US - 3 * DAY_US,
            Self::Month => date(Date::first_of_month),
            Self::Year => date(Date::first_of_year),
        }
    }

    /// When the span that began at a moment ends.
    pub(crate) fn end_us(self, start_us: i64) -> i64 {
        let later = |span: jiff::Span, otherwise: i64| {
            let next = date_of(start_us).and_then(|date| date.checked_add(span).ok());
            next.map_or(start_us + otherwise, date_us)
        };
        match self {
            Self::Second => start_us + 1_000_000,
            Self::Minute => start_us + 60_000_000,
            Self::Hour => start_us + HOUR_US,
            Self::Day => start_us + DAY_US,
            Self::Week => start_us + 7 * DAY_US,
            Self::Month => later(1.month(), 31 * DAY_US),
            Self::Year => later(1.year(), 366 * DAY_US),
        }
    }
}

/// The day of a moment, counted from 1970.
pub(crate) fn day(us: i64) -> i64 {
    us.div_euclid(DAY_US)
}

/// Year and month of a moment as one number, such as 202611.
pub(crate) fn month_number(us: i64) -> i32 {
    date_of(us).map_or(0, |date| i32::from(date.year()) * 100 + i32::from(date.month()))
}

fn date_of(us: i64) -> Option<Date> {
    Some(Timestamp::from_microsecond(us).ok()?.to_zoned(TimeZone::UTC).date())
}

/// Where a day begins; the last moment there is for a day beyond all calendars.
fn date_us(date: Date) -> i64 {
    date.to_zoned(TimeZone::UTC).map_or(i64::MAX, |at| at.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn spans_begin_and_end_where_the_calendar_says() {
        // The 29th of February 2028 is a Tuesday.
        let now = us("2028-02-29T13:45:10.5Z");
        for (span, start, end) in [
            (Span::Second, "2028-02-29T13:45:10Z", "2028-02-29T13:45:11Z"),
            (Span::Minute, "2028-02-29T13:45:00Z", "2028-02-29T13:46:00Z"),
            (Span::Hour, "2028-02-29T13:00:00Z", "2028-02-29T14:00:00Z"),
            (Span::Day, "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"),
            (Span::Week, "2028-02-28T00:00:00Z", "2028-03-06T00:00:00Z"),
            (Span::Month, "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            (Span::Year, "2028-01-01T00:00:00Z", "2029-01-01T00:00:00Z"),
        ] {
            assert_eq!(span.start_us(now), us(start), "{span:?}");
            assert_eq!(span.end_us(us(start)), us(end), "{span:?}");
        }
        assert_eq!(month_number(now), 202_802);
        assert_eq!(day(us("1970-01-02T00:00:00Z")), 1);
        assert_eq!(day(-1), -1);
    }
}
