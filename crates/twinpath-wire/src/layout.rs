//! Macros that declare structures of the wire.

/// Declares structures whose fields are the octets in order, valid for any octets that are long
/// enough, or a newtype of one field.
macro_rules! layout {
    ($(
        $(#[$about:meta])*
        pub struct $name:ident: $octets:literal {
            $($(#[$of_field:meta])* pub $field:ident: $kind:ty,)*
        }
    )*) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
        #[repr(C)]
        pub struct $name {
            $($(#[$of_field])* pub $field: $kind,)*
        }

        impl $name {
            /// Length in octets.
            pub const OCTETS: usize = size_of::<Self>();
        }

        const _: () = assert!($name::OCTETS == $octets);
    )*};
    ($(#[$about:meta])* pub struct $name:ident($seen:vis $kind:ty);) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
        #[repr(C)]
        pub struct $name($seen $kind);
    };
}
pub(crate) use layout;
