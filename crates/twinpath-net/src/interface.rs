//! Interfaces by name and by number. If an interface is deleted and created again, its name stays
//! the same, but its number changes.

/// The number of the interface `name`; `None`: no such interface exists now, or the system has no
/// numbers.
pub fn index_of(name: &str) -> Option<u32> {
    sys::index_of(name)
}

/// The name of the interface with this number; `None`: no such interface exists now, or the system
/// has no numbers.
pub fn name_of(index: u32) -> Option<String> {
    sys::name_of(index)
}

#[cfg(unix)]
mod sys {
    use std::ffi::{CStr, CString};

    pub(super) fn index_of(name: &str) -> Option<u32> {
        let name = CString::new(name).ok()?;
        // SAFETY: the name ends with a zero octet and lives across the call.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        (index != 0).then_some(index)
    }

    pub(super) fn name_of(index: u32) -> Option<String> {
        let mut room: [libc::c_char; libc::IF_NAMESIZE] = [0; libc::IF_NAMESIZE];
        // SAFETY: the room is as long as the longest name with its zero octet, and lives across the
        // call.
        let name = unsafe { libc::if_indextoname(index, room.as_mut_ptr()) };
        if name.is_null() {
            return None;
        }
        // SAFETY: the call has written a name with its zero octet there.
        let name = unsafe { CStr::from_ptr(name) };
        Some(name.to_string_lossy().into_owned())
    }
}

#[cfg(not(unix))]
mod sys {
    pub(super) fn index_of(_name: &str) -> Option<u32> {
        None
    }

    pub(super) fn name_of(_index: u32) -> Option<String> {
        None
    }
}
