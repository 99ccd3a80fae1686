//! stub
use crate::Result;
use crate::db::Tx;
pub(crate) fn run(_tx: &mut Tx<'_>) -> Result<()> { todo!() }
