//! The layers and the scenario runner, run over a small router.

#[cfg(test)]
mod layers;
#[cfg(test)]
mod runner;
