//! stub
use crate::Store;
/// A store.
pub struct TestStore { /// store
 pub store: Store }
impl TestStore {
    /// All databases that are to be tested, each with an empty store.
    pub async fn all() -> Vec<TestStore> { todo!() }
    /// PG when set else SQLite
    pub async fn one() -> TestStore { todo!() }
    /// sqlite
    pub async fn sqlite() -> TestStore { todo!() }
    /// postgres
    pub async fn postgres() -> Option<TestStore> { todo!() }
}
