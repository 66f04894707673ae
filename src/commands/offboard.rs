//! `leaver offboard`: an operator's own termination.

use super::{Failure, Output, actor, print_view};
use crate::config::Config;
use crate::operate::{self, OwnTermination, Taken};
use crate::serve::{self, Parts};

/// Stores the termination and prints the offboarding that it opened or joined.
pub async fn offboard(config: &Config, asked: OwnTermination, output: Output) -> Result<(), Failure> {
    let store = Parts::new(config)?.store;
    let taken = operate::offboard(&store, &serve::own_rules(config), &asked, None, &actor()).await?;
    match taken {
        Taken::New(view) | Taken::Known(view) => print_view(config, &store, &view, output).await,
        Taken::KeyReused => Err(Failure::Failed("the event id is in use: try again".to_owned())),
    }
}
