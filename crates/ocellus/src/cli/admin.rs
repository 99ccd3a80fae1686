//! Arguments of `ocellus admin`.

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum Admin {
    /// Make, list and revoke keys
    #[command(subcommand)]
    Keys(Keys),
    /// Make and list accounts
    #[command(subcommand)]
    Accounts(Accounts),
    /// Make people who sign in, and give them passwords
    #[command(subcommand)]
    Users(Users),
    /// Make and list apps
    #[command(subcommand)]
    Apps(Apps),
    /// Exchange a client id and secret for a token that expires
    Token(Token),
    /// Measure the vector index of an app against the exact scan
    Recall(Recall),
}

/// Whose things a command works on.
#[derive(Debug, Args)]
pub struct OfUser {
    /// User id [default: the first account]
    #[arg(long)]
    pub user: Option<String>,
}

/// The kinds of key that can be made.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum NewKeyKind {
    /// For one app
    ApiKey,
    /// For all apps of the user
    Pat,
    /// A client id and secret, to be exchanged for tokens
    Client,
}

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a key; its secret is shown this once
    Create {
        #[command(flatten)]
        of: OfUser,
        #[arg(long, value_enum, default_value = "api-key")]
        kind: NewKeyKind,
        /// The app it is for; needed for all but a personal access token
        #[arg(long)]
        app: Option<String>,
        /// Scope names, separated by commas
        #[arg(long, default_value = "All", value_delimiter = ',')]
        scopes: Vec<String>,
        #[arg(long, default_value = "")]
        description: String,
    },
    /// List the keys; secrets are not kept and cannot be shown
    List {
        #[command(flatten)]
        of: OfUser,
    },
    /// Revoke a key by its id
    Revoke {
        #[command(flatten)]
        of: OfUser,
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Accounts {
    /// Make an account
    Create {
        user: String,
        #[arg(long, default_value = "")]
        name: String,
    },
    /// List the accounts
    List,
}

#[derive(Debug, Subcommand)]
pub enum Users {
    /// Make an account for a person; the password is read from standard input
    Create {
        email: String,
        /// User id [default: made up]
        #[arg(long)]
        user: Option<String>,
        #[arg(long, default_value = "")]
        first_name: String,
        #[arg(long, default_value = "")]
        last_name: String,
    },
    /// Give a person another password, read from standard input, and end their sessions
    SetPassword {
        #[command(flatten)]
        of: OfUser,
        /// The e-mail address to sign in with; needed where the account has none yet
        #[arg(long)]
        email: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Apps {
    /// Make an app
    Create {
        #[command(flatten)]
        of: OfUser,
        app: String,
    },
    /// List the apps
    List {
        #[command(flatten)]
        of: OfUser,
    },
}

#[derive(Debug, Args)]
pub struct Token {
    /// The client id; the client secret is read from standard input
    pub client_id: String,
}

#[derive(Debug, Args)]
pub struct Recall {
    #[command(flatten)]
    pub of: OfUser,
    pub app: String,
    /// Neighbours to ask for
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub k: u32,
    /// Vectors to use as queries
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100000))]
    pub samples: u32,
}
