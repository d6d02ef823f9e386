//! Explains to readers how `cost` estimates the costs, and from which prices.

use maud::{Markup, html};

use crate::cost::{Mix, NFS_CHANGE, NFS_LOAD, Prices};

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
            " A read costs its commands as loads; a change one load, and the rest of its commands as \
             writes. A load of so many KB is: in DynamoDB a read unit for each 4 KB begun, in \
             ElastiCache an ECPU for each KB and at least one, in EFS " (NFS_LOAD) " requests of at \
             least 4 KB. A write is: in DynamoDB a unit for each KB begun, in ElastiCache as a load \
             (more, if the script takes more), in EFS " (NFS_CHANGE) " requests, all taken \
             for writes. Sizes are those of the session as it is stored."
        }
        p {
            "Left out: what is stored, nodes that are paid by the hour, traffic that leaves AWS, moves \
             of the idle timeout. Where there is no store to pay, it is the servers' memory that \
             sessions take, or the visitors' bandwidth."
        }
        p { "Prices in " (prices.region) ", " (prices.notice) ":" }
        ul {
            @for (service, price, origin) in prices.origins() {
                li { (service) ", " (origin.billing) ": " (price) " (" (origin.source) ", " (origin.as_of) ")" }
            }
        }
    }
}
