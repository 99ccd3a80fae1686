//! Passwords: hashing them slowly, comparing them, and what makes one acceptable.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::Deserialize;

use crate::{Error, Platform, Result};

/// Longer ones are refused, or hashing them would be a burden. In bytes.
const MAX_BYTES: usize = 256;

/// What a password must hold besides its length; a section of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CharClass {
    /// A capital letter.
    Upper,
    /// A small letter.
    Lower,
    /// A digit.
    Digit,
    /// Anything that is neither letter nor digit.
    Symbol,
}

/// Which rules a password breaks; none of them for a good one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Violations {
    /// Too few characters.
    pub too_short: bool,
    /// Too many bytes.
    pub too_long: bool,
    /// A capital letter is missing.
    pub no_upper: bool,
    /// A small letter is missing.
    pub no_lower: bool,
    /// A digit is missing.
    pub no_digit: bool,
    /// A character that is neither letter nor digit is missing.
    pub no_symbol: bool,
    /// It is the password, or was one lately.
    pub reused: bool,
    /// It holds a name or the user id of its owner.
    pub has_name: bool,
    /// It holds the e-mail address of its owner.
    pub has_email: bool,
    /// It is one character again and again, or a sequence.
    pub simple: bool,
    /// It is one of those that everybody tries first.
    pub common: bool,
}

impl Violations {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is wrong, as a sentence's end.
    pub fn text(&self) -> String {
        let all = [
            (self.too_short, "is too short"),
            (self.too_long, "is too long"),
            (self.no_upper, "needs a capital letter"),
            (self.no_lower, "needs a small letter"),
            (self.no_digit, "needs a digit"),
            (self.no_symbol, "needs a character that is neither letter nor digit"),
            (self.reused, "was used before"),
            (self.has_name, "holds the user's name"),
            (self.has_email, "holds the user's e-mail address"),
            (self.simple, "is too simple"),
            (self.common, "is one that everybody tries first"),
        ];
        let broken: Vec<&str> = all.into_iter().filter(|(broken, _)| *broken).map(|(_, text)| text).collect();
        broken.join(", ")
    }
}

/// Whose password it is to be.
#[derive(Clone, Debug, Default)]
pub struct Owner {
    /// User id and names.
    pub names: Vec<String>,
    /// The e-mail address.
    pub email: String,
}

/// Which rules a password breaks, but for reuse, which takes time to find out.
pub fn check(password: &str, owner: &Owner, min_chars: usize, needs: &[CharClass]) -> Violations {
    let lower = password.to_lowercase();
    let has = |class: CharClass| {
        password.chars().any(|c| match class {
            CharClass::Upper => c.is_uppercase(),
            CharClass::Lower => c.is_lowercase(),
            CharClass::Digit => c.is_ascii_digit(),
            CharClass::Symbol => !c.is_alphanumeric(),
        })
    };
    let lacks = |class| needs.contains(&class) && !has(class);
    let holds = |part: &str| part.chars().count() >= 4 && lower.contains(&part.to_lowercase());
    let local = owner.email.split('@').next().unwrap_or_default();
    Violations {
        too_short: password.chars().count() < min_chars,
        too_long: password.len() > MAX_BYTES,
        no_upper: lacks(CharClass::Upper),
        no_lower: lacks(CharClass::Lower),
        no_digit: lacks(CharClass::Digit),
        no_symbol: lacks(CharClass::Symbol),
        reused: false,
        has_name: owner.names.iter().any(|name| holds(name)),
        has_email: holds(local),
        simple: is_simple(&lower),
        common: is_common(&lower),
    }
}

/// Two different characters at most, or each one step from the one before.
fn is_simple(lower: &str) -> bool {
    let chars: Vec<char> = lower.chars().collect();
    let mut kinds = chars.clone();
    kinds.sort_unstable();
    kinds.dedup();
    let step = |by: i64| {
        chars.windows(2).all(|pair| i64::from(u32::from(pair[1])) - i64::from(u32::from(pair[0])) == by)
    };
    kinds.len() <= 2 || step(1) || step(-1)
}

/// The beginnings of the passwords most used, without the digits and signs that people put behind them.
const COMMON: &[&str] = &[
    "password",
    "passwort",
    "passw0rd",
    "qwerty",
    "qwertyuiop",
    "qwertz",
    "azerty",
    "asdfghjkl",
    "zxcvbnm",
    "letmein",
    "welcome",
    "iloveyou",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "superman",
    "batman",
    "trustno",
    "dragon",
    "monkey",
    "shadow",
    "master",
    "michael",
    "jennifer",
    "charlie",
    "starwars",
    "computer",
    "whatever",
    "freedom",
    "changeme",
    "administrator",
    "admin",
    "login",
    "secret",
    "default",
    "abcd",
    "abc",
    "test",
    "guest",
    "hello",
    "qazwsx",
    "1q2w3e4r",
    "1qaz2wsx",
    "q1w2e3r4",
    "ocellus",
    "clarifai",
];

fn is_common(lower: &str) -> bool {
    let digits = lower.chars().all(|c| c.is_ascii_digit());
    let known_digits = ["123456789", "1234567890", "123123123", "0987654321", "1122334455", "12341234"];
    let head = lower.trim_end_matches(|c: char| !c.is_alphabetic());
    (digits && known_digits.iter().any(|known| lower.starts_with(known)))
        || COMMON.contains(&head)
        || COMMON.contains(&lower)
}

/// The parameters that the OWASP recommends for Argon2id: 19 MiB, two passes, one lane.
fn hasher() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}

/// The hash of a password with a fresh salt, in the usual text form. Takes a core for some ten milliseconds.
pub async fn hash(platform: &Platform, password: String) -> Result<String> {
    let salt = platform.ids().id();
    let work = move || {
        let salt = SaltString::encode_b64(salt.as_bytes())?;
        hasher().hash_password(password.as_bytes(), &salt).map(|hash| hash.to_string())
    };
    platform.engine().cpu(work).await?.map_err(|error| Error::internal(anyhow::anyhow!("argon2: {error}")))
}

/// A hash that no password has, so that an unknown address costs as much time as a wrong password.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm8gb25lIGhhcyB0aGlz$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Whether a password has one of these hashes. With no hash at all the answer is no, after the same time.
pub async fn matches(platform: &Platform, password: String, hashes: Vec<String>) -> Result<bool> {
    let work = move || {
        let verify = |hash: &str| {
            PasswordHash::new(hash)
                .is_ok_and(|hash| hasher().verify_password(password.as_bytes(), &hash).is_ok())
        };
        if hashes.is_empty() {
            verify(NOBODYS);
            return false;
        }
        hashes.iter().any(|hash| verify(hash))
    };
    platform.engine().cpu(work).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(password: &str) -> String {
        let owner = Owner {
            names: vec!["Ada Lovelace".to_owned(), "ada1815".to_owned()],
            email: "ada.l@example.org".to_owned(),
        };
        check(password, &owner, 8, &[]).text()
    }

    #[test]
    fn a_password_must_be_hard_to_guess_and_nothing_else() {
        for good in ["correct horse", "Tr0ub4dor&3x", "犬が好きですよね", "kj3h4kj23h4"] {
            assert_eq!(broken(good), "", "{good}");
        }
        let bad = [
            ("short", "too short"),
            ("password1!", "everybody tries"),
            ("Qwerty123456", "everybody tries"),
            ("1234567890", "everybody tries"),
            ("aaaaaaaaaa", "too simple"),
            ("abcdefgh", "too simple"),
            ("87654321", "too simple"),
            ("xADA1815x", "name"),
            ("my ada.l pass", "e-mail"),
        ];
        for (password, why) in bad {
            assert!(broken(password).contains(why), "{password}: {}", broken(password));
        }
        assert!(broken(&"xy z".repeat(100)).contains("too long"));
    }

    #[test]
    fn characters_of_a_kind_are_needed_where_the_operator_wants_them() {
        let all = [CharClass::Upper, CharClass::Lower, CharClass::Digit, CharClass::Symbol];
        let none = check("gzkpqwmv", &Owner::default(), 8, &all);
        assert!(none.no_upper && none.no_digit && none.no_symbol && !none.no_lower);
        assert!(check("Gzkp-wm7v", &Owner::default(), 8, &all).is_empty());
    }

    #[test]
    fn the_hash_that_nobody_has_is_computed_like_a_real_one() {
        let nobodys = PasswordHash::new(NOBODYS).unwrap();
        let salt = SaltString::encode_b64(b"0123456789abcdef").unwrap();
        let real = hasher().hash_password(b"x", &salt).unwrap();
        assert_eq!(nobodys.params, real.params);
        assert_eq!((nobodys.algorithm, nobodys.version), (real.algorithm, real.version));
        assert_eq!(nobodys.hash.map(|hash| hash.len()), real.hash.map(|hash| hash.len()));
    }
}
