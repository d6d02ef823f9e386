//! This package has tests only, in `tests/`.
