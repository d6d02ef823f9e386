//! The products of the shop.

#[derive(Debug)]
pub(crate) struct Product {
    pub(crate) sku: &'static str,
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) cents: u64,
    /// The colour behind the picture.
    pub(crate) tint: &'static str,
    /// The elements of the picture, an SVG of 120 by 120 units.
    pub(crate) picture: &'static str,
}

pub(crate) fn find(sku: &str) -> Option<&'static Product> {
    PRODUCTS.iter().find(|product| product.sku == sku)
}

pub(crate) const PRODUCTS: [Product; 6] = [
    Product {
        sku: "apple",
        name: "Apple",
        about: "Crisp, a little sharp",
        cents: 60,
        tint: "#f6ddd3",
        picture: r##"<path d="M60 40c-9-9-35-7-35 20 0 25 17 43 26 43 4 0 5-2 9-2s5 2 9 2c9 0 26-18 26-43 0-27-26-29-35-20z" fill="#c23b2e"/><path d="M37 62c0-9 4-14 10-16" stroke="#fff" stroke-opacity=".55" stroke-width="5" stroke-linecap="round" fill="none"/><path d="M60 41c0-10 2-17 7-23" stroke="#5a3b22" stroke-width="5" stroke-linecap="round" fill="none"/><path d="M65 30c4-11 14-14 25-12-3 11-13 16-25 12z" fill="#5b8a45"/>"##,
    },
    Product {
        sku: "pear",
        name: "Pear",
        about: "Ripe by the weekend",
        cents: 75,
        tint: "#eaedcb",
        picture: r##"<path d="M60 28c10 0 13 8 15 18 2 12 19 17 19 35 0 16-15 24-34 24s-34-8-34-24c0-18 17-23 19-35 2-10 5-18 15-18z" fill="#a7b23a"/><path d="M38 82c0-10 5-15 10-20" stroke="#fff" stroke-opacity=".55" stroke-width="5" stroke-linecap="round" fill="none"/><path d="M60 29c0-7 1-11 5-15" stroke="#5a3b22" stroke-width="5" stroke-linecap="round" fill="none"/><path d="M64 24c6-7 14-8 22-4-5 8-13 9-22 4z" fill="#5b8a45"/>"##,
    },
    Product {
        sku: "plum",
        name: "Plum",
        about: "Sweet down to the stone",
        cents: 35,
        tint: "#e6dcee",
        picture: r##"<ellipse cx="60" cy="67" rx="32" ry="37" fill="#5e3b79"/><path d="M60 32c10 16 12 44 2 70" stroke="#472a5e" stroke-width="4" stroke-linecap="round" fill="none"/><path d="M39 70c-1-11 2-18 7-23" stroke="#fff" stroke-opacity=".5" stroke-width="5" stroke-linecap="round" fill="none"/><path d="M60 33c0-8 1-12 4-17" stroke="#5a3b22" stroke-width="5" stroke-linecap="round" fill="none"/>"##,
    },
    Product {
        sku: "lemon",
        name: "Lemon",
        about: "Unwaxed, zest and all",
        cents: 50,
        tint: "#faf0c4",
        picture: r##"<g transform="rotate(-28 60 62)"><path d="M14 62c7-2 8-5 12-12 7-11 19-17 34-17s27 6 34 17c4 7 5 10 12 12-7 2-8 5-12 12-7 11-19 17-34 17s-27-6-34-17c-4-7-5-10-12-12z" fill="#ecc22f"/><path d="M38 56c5-7 12-10 20-11" stroke="#fff" stroke-opacity=".65" stroke-width="5" stroke-linecap="round" fill="none"/></g>"##,
    },
    Product {
        sku: "cherries",
        name: "Cherries",
        about: "A handful, in pairs",
        cents: 240,
        tint: "#f7d9de",
        picture: r##"<path d="M40 78c2-26 14-46 36-58M80 84c2-24 0-46-4-64" stroke="#5a3b22" stroke-width="4" stroke-linecap="round" fill="none"/><circle cx="40" cy="85" r="20" fill="#a81f3a"/><circle cx="82" cy="89" r="20" fill="#bd2744"/><path d="M28 83c1-5 4-8 8-9M70 87c1-5 4-8 8-9" stroke="#fff" stroke-opacity=".55" stroke-width="4" stroke-linecap="round" fill="none"/><path d="M75 21c-12-9-25-7-35 2 11 8 25 8 35-2z" fill="#5b8a45"/>"##,
    },
    Product {
        sku: "fig",
        name: "Fig",
        about: "Soft, from a south wall",
        cents: 90,
        tint: "#dfe3d8",
        picture: r##"<path d="M60 20c3 15 35 27 35 54 0 19-16 31-35 31s-35-12-35-31c0-27 32-39 35-54z" fill="#55415f"/><path d="M60 34c-12 17-17 42-9 66M60 34c12 17 17 42 9 66M60 34v68" stroke="#6f5a7a" stroke-width="3" stroke-linecap="round" fill="none"/><path d="M60 24c0-5 0-7 2-11" stroke="#6b7a43" stroke-width="7" stroke-linecap="round" fill="none"/>"##,
    },
];
