//! System calls that a filter refuses (seccomp(2)).
//!
//! It lists what is refused and not what is allowed: C libraries change what they call, and a call that is refused by
//! mistake would distort a measurement. None of those listed is needed here at all, so a refusal (EPERM) shows a program
//! that has been taken over, and ends nothing.

use std::collections::BTreeMap;

use libc::{c_int, c_long};
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

use super::ConfineError;

/// Calls on every processor that are refused whatever they ask for.
const REFUSED: &[c_long] = &[
    // Other programs.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // A file that can be mapped twice, to be written and to be executed.
    libc::SYS_memfd_create,
    // Namespaces and file systems.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_mknodat,
    libc::SYS_open_by_handle_at,
    libc::SYS_quotactl,
    libc::SYS_acct,
    // Users and privileges.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    libc::SYS_personality,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // The kernel.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_syslog,
    // The host.
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
];

/// Those of one processor.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[c_long] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_mknod,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS_kexec_file_load,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[c_long] = &[];

/// Calls that are refused where all these bits of the third argument are set, so that what was written into memory is
/// not executed. Code of the program and its libraries is mapped from files.
const NO_CODE: [(c_long, c_int); 4] = [
    (libc::SYS_mmap, libc::PROT_WRITE | libc::PROT_EXEC),
    (libc::SYS_mprotect, libc::PROT_EXEC),
    (libc::SYS_pkey_mprotect, libc::PROT_EXEC),
    (libc::SYS_shmat, libc::SHM_EXEC),
];

/// Families of sockets that there may be.
const FAMILIES: [c_int; 5] = [
    libc::AF_UNIX,
    libc::AF_INET,
    libc::AF_INET6,
    libc::AF_NETLINK,
    libc::AF_PACKET,
];

const EPERM: SeccompAction = SeccompAction::Errno(libc::EPERM.cast_unsigned());
const ENOSYS: SeccompAction = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());

pub(super) fn refuse() -> Result<(), ConfineError> {
    let Ok(processor) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Err(ConfineError::Unsupported);
    };
    install(processor).map_err(|error| ConfineError::Refused(error.to_string()))
}

fn install(processor: TargetArch) -> Result<(), Error> {
    // What it asks for is where no filter can look. The C library makes a thread by the older call then.
    let newer_clone = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    for (rules, refusal) in [(newer_clone, ENOSYS), (refused()?, EPERM)] {
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, refusal, processor)?;
        apply_filter(&BpfProgram::try_from(filter)?)?;
    }
    #[cfg(target_arch = "x86_64")]
    apply_filter(&refuse_x32())?;
    Ok(())
}

fn refused() -> Result<BTreeMap<i64, Vec<SeccompRule>>, Error> {
    let all = REFUSED.iter().chain(REFUSED_HERE);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = all.map(|call| (*call, Vec::new())).collect();
    let other_families = FAMILIES.map(|family| {
        let family = u64::from(family.cast_unsigned());
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, family)
    });
    let other_families = other_families.into_iter().collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_socket, vec![SeccompRule::new(other_families)?]);
    // A thread of this process, or else another process.
    let thread = u64::from(libc::CLONE_THREAD.cast_unsigned());
    let no_thread = SeccompCmpOp::MaskedEq(thread);
    let no_thread = SeccompCondition::new(0, SeccompCmpArgLen::Qword, no_thread, 0)?;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![no_thread])?]);
    for (call, bits) in NO_CODE {
        let bits = u64::from(bits.cast_unsigned());
        let all = SeccompCmpOp::MaskedEq(bits);
        let all = SeccompCondition::new(2, SeccompCmpArgLen::Dword, all, bits)?;
        rules.insert(call, vec![SeccompRule::new(vec![all])?]);
    }
    Ok(rules)
}

/// Refuses system calls of the x32 ABI: they have other numbers, and [`SeccompFilter`] compares only the architecture,
/// which is the same.
#[cfg(target_arch = "x86_64")]
fn refuse_x32() -> BpfProgram {
    /// The number of the call is at offset 0.
    const LOAD: u16 = 0x20;
    const IF_EQUAL: u16 = 0x15;
    const IF_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    /// The first number of x32.
    const FIRST: u32 = 0x4000_0000;
    /// The number of a call that a debugger has the kernel skip.
    const SKIPPED: u32 = u32::MAX;
    let step = |code, k, jt, jf| seccompiler::sock_filter { code, jt, jf, k };
    vec![
        step(LOAD, 0, 0, 0),
        step(IF_AT_LEAST, FIRST, 0, 2),
        step(IF_EQUAL, SKIPPED, 1, 0),
        step(RETURN, EPERM.into(), 0, 0),
        step(RETURN, SeccompAction::Allow.into(), 0, 0),
    ]
}
