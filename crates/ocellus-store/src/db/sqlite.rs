//! stub
use super::*;
pub(crate) struct Sqlite;
impl Sqlite {
    pub(crate) async fn open(_p: &std::path::Path, _r: usize, _d: crate::store::Durability) -> Result<Self> { todo!() }
    pub(crate) async fn read<T, E, F>(&self, _f: F) -> Result<T, E> where F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static, E: From<Error> + Send + 'static, T: Send + 'static { todo!() }
    pub(crate) async fn write<T, E, F>(&self, _f: F) -> Result<T, E> where F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static, E: From<Error> + Send + 'static, T: Send + 'static { todo!() }
    pub(crate) async fn alone<T, E, F>(&self, _f: F) -> Result<T, E> where F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static, E: From<Error> + Send + 'static, T: Send + 'static { todo!() }
    pub(crate) async fn claim<T, E, F>(&self, _f: F) -> Result<T, E> where F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static, E: From<Error> + Send + 'static, T: Send + 'static { todo!() }
}
