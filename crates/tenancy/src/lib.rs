//! The boundary between tenants.
