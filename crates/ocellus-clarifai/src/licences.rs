//! Licences that a model may be published under.

use ocellus_core::Result;

use crate::pb::*;
use crate::rpc::Cx;
use crate::status;

/// Open-source licences by SPDX identifier, those that people choose most.
const LICENCES: [&str; 37] = [
    "AFL-3.0",
    "AGPL-3.0",
    "Apache-2.0",
    "Artistic-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSD-3-Clause-Clear",
    "BSL-1.0",
    "CC-BY-4.0",
    "CC-BY-NC-4.0",
    "CC-BY-NC-SA-4.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "ECL-2.0",
    "EPL-1.0",
    "EPL-2.0",
    "EUPL-1.1",
    "EUPL-1.2",
    "GPL-2.0",
    "GPL-3.0",
    "ISC",
    "LGPL-2.1",
    "LGPL-3.0",
    "LPPL-1.3c",
    "MIT",
    "MPL-2.0",
    "MS-PL",
    "MS-RL",
    "NCSA",
    "ODbL-1.0",
    "OFL-1.1",
    "OSL-3.0",
    "PostgreSQL",
    "Unlicense",
    "UPL-1.0",
    "WTFPL",
    "Zlib",
];

#[expect(clippy::unused_async, reason = "handlers are async")]
pub async fn list_open_source_licenses(
    _cx: Cx,
    _req: ListOpenSourceLicensesRequest,
) -> Result<ListOpenSourceLicensesResponse> {
    let licenses = LICENCES.iter().map(|id| (*id).to_owned()).collect();
    Ok(ListOpenSourceLicensesResponse { status: status::success(), licenses })
}
