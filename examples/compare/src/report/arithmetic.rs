//! Explains to readers how `cost` estimates the costs, and from which prices.

use maud::{Markup, html};

use crate::cost::{Mix, NFS_CHANGE, NFS_LOAD};
use crate::prices::Prices;

pub(crate) fn arithmetic(mix: Mix, prices: &Prices) -> Markup {
    let writes = mix.writes * 100.0;
    html! {
        p {
            "Of a million requests " (format!("{writes:.1} %")) " change their session and the others \
             read it, "
            @if mix.measured {
                "as the counted shopper's did: (average − read) ÷ (write − read) of the commands."
            } @else {
                "which is assumed, because no commands were counted."
            }
            " All commands of a read count as loads. Of a change, one command counts as a load and \
             the rest as writes. Behind Near the commands are those of visitors who pause, as the bills \
             assume them. A load costs a read unit for each 4 KB begun in DynamoDB, an ECPU \
             for each KB and at least one in ElastiCache, a GET in S3, and " (NFS_LOAD) " requests in EFS, \
             metered as 4 KB at least, and the one with the file as 32 KB. A write costs a unit for each KB begun in DynamoDB, as much as a load in \
             ElastiCache (more if the script takes more), a PUT in S3, and " (NFS_CHANGE) " requests in EFS, all \
             counted as writes. Sizes are those of the session as it is stored."
        }
        p {
            "Left out of the cost of a million requests: storage, hours, traffic, and moves of the idle \
             timeout. Where there is no store to pay, sessions take the servers' memory or \
             the visitors' bandwidth."
        }
        p { "Prices in " (prices.region) ", " (prices.notice) ":" }
        ul {
            @for (service, price, origin) in prices.origins() {
                li { (service) ", " (origin.billing) ": " (price) " (as of " (origin.as_of) ": " (origin.source) ")" }
            }
        }
    }
}
