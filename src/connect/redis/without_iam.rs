//! Stands in for `iam` in builds without the feature. The option is known all the same, so that the
//! error can name the feature.

use crate::connect::address::Address;
use crate::connect::error::ConnectError;
use crate::store::RedisServer;

pub(super) async fn with_iam(
    server: RedisServer,
    address: &mut Address,
    _default_port: u16,
) -> Result<RedisServer, ConnectError> {
    match address.take("iam") {
        Some(_) => Err(address.invalid("`iam` needs cloakroom's feature `redis-iam`")),
        None => Ok(server),
    }
}
