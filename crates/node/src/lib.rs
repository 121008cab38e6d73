//! The Node addon: glue only.
