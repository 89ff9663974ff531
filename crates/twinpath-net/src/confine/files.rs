//! Landlock (landlock(7)): what is not allowed here cannot be opened, by root either.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
    RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::{ConfineError, FileAccess};

/// The newest interface whose restrictions are meant here. A kernel that has an older one enforces what that has.
const KNOWN: ABI = ABI::V6;

pub(super) fn restrict(access: &FileAccess) -> Result<(), ConfineError> {
    match enforce(access) {
        Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced) => Ok(()),
        Ok(RulesetStatus::NotEnforced) => Err(ConfineError::Unsupported),
        Err(error) => Err(ConfineError::Refused(error.to_string())),
    }
}

fn enforce(access: &FileAccess) -> Result<RulesetStatus, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let devices = read | AccessFs::WriteFile | AccessFs::IoctlDev;
    let write = AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeSock
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer;
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::ConnectTcp)?
        .scope(Scope::Signal)?
        .create()?
        .add_rules(path_beneath_rules(&access.read, read))?
        .add_rules(path_beneath_rules(&access.devices, devices))?
        .add_rules(path_beneath_rules(&access.write, read | write))?;
    Ok(ruleset.restrict_self()?.ruleset)
}
