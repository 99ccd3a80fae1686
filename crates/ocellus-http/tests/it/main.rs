//! The layers and the scenario runner, run over a small router.

mod layers;
mod runner;
