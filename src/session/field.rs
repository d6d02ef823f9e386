//! Keys of a session: plain strings, or constants that carry the value's type.

use std::fmt;
use std::marker::PhantomData;

/// A key together with the type of its value, so that the compiler checks what is in a session.
///
/// ```
/// use cloakroom::Field;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Default)]
/// struct Cart {
///     items: Vec<String>,
/// }
///
/// const CART: Field<Cart> = Field::new("cart");
/// assert_eq!(CART.name(), "cart");
/// ```
pub struct Field<T> {
    name: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T> Field<T> {
    /// Creates the key `name` for values of type `T`.
    pub const fn new(name: &'static str) -> Self {
        Self { name, value: PhantomData }
    }

    /// Returns the key.
    ///
    /// ```
    /// use cloakroom::Field;
    ///
    /// const VISITS: Field<u32> = Field::new("visits");
    /// assert_eq!(VISITS.name(), "visits");
    /// ```
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T> Clone for Field<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Field<T> {}

impl<T> fmt::Debug for Field<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Field").field(&self.name).finish()
    }
}

/// Anything that names a key of a session: a string or a [`Field`].
pub trait FieldName: sealed::Sealed {
    /// Returns the key.
    fn key(&self) -> &str;
}

/// A key that may hold a `T`: any string, or a `Field<T>`.
pub trait FieldOf<T: ?Sized>: FieldName {}

impl FieldName for &str {
    fn key(&self) -> &str {
        self
    }
}

impl FieldName for &String {
    fn key(&self) -> &str {
        self
    }
}

impl<T> FieldName for Field<T> {
    fn key(&self) -> &str {
        self.name
    }
}

impl<T: ?Sized> FieldOf<T> for &str {}
impl<T: ?Sized> FieldOf<T> for &String {}
impl<T> FieldOf<T> for Field<T> {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for &str {}
    impl Sealed for &String {}
    impl<T> Sealed for super::Field<T> {}
}
