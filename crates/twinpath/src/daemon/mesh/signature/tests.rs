use std::fs;
use std::process::{Command, Stdio};

use super::*;

/// A key, a document and signatures made by minisign 0.11.
const KEY: &str = "RWT+jXyabEg1gzv0hkzUEwztkt+TZRIH8VbS8/uAXy6ixoLE19EkIcls";
const TEXT: &[u8] = b"name = \"prod\"\nserial = 7\n";
const SIGNATURE: &str = "untrusted comment: signature from minisign secret key\nRUT+jXyabEg1g4BrebcGFmCsn7bhQiyyKbu4Mn9YOhoVQKRVoq8wumYfS7XWsSVgWtwC4JZG3dSYzTqfmccW4fizvtLQx1xdUA8=\ntrusted comment: serial 7\nrvUSAGKoa7DWEGOyPHOCtCyeOrY71yL+ZZ7Sq0u95g3pkEJg2uqpmnRQIS33VlaNEy78iwGnVdjH8iJk9VglDw==\n";
const LEGACY: &str = "untrusted comment: signature from minisign secret key\nRWT+jXyabEg1g5M1xNwkhM9B4+ADZZYhFbCBQi6EdA8aFptwF8RYx7Cx7PeOOzToJRxWHuyIlEpYvlLWXs2vmtXTE2HTy9OJSgA=\ntrusted comment: serial 7\nB8C9i7Oj0YRnaaRmoTZoKa4IFe6eeETzPLu8xHg3hQXsVU5Ed1dD+xAu4dVfIhBLXy90beyg6TP5eu1SzwVrDw==\n";

#[test]
fn a_signature_of_minisign_is_for_one_key_and_one_text() {
    assert_eq!(verify(KEY, TEXT, SIGNATURE.as_bytes()), Ok(()));
    for at in 0..TEXT.len() {
        let mut text = TEXT.to_vec();
        text[at] ^= 1;
        assert!(
            verify(KEY, &text, SIGNATURE.as_bytes()).is_err(),
            "octet {at}"
        );
    }
    let other = "RWQR1NoBDvB3YRYaO0QoBHZZkJNkUMh4DTiQs3Ug0qDxsHTeIQyo8O3q";
    assert_eq!(
        verify(other, TEXT, SIGNATURE.as_bytes()),
        Err("the document is signed with another key".to_owned())
    );
    let legacy = verify(KEY, TEXT, LEGACY.as_bytes()).unwrap_err();
    assert_eq!(
        legacy,
        "the signature is of the legacy form: sign without -l"
    );
    // The trusted comment is signed too.
    let comment = SIGNATURE.replace("serial 7", "serial 8");
    assert!(comment != SIGNATURE && verify(KEY, TEXT, comment.as_bytes()).is_err());
}

#[test]
fn what_is_no_signature_or_key_is_refused() {
    for text in [
        "",
        "x",
        "\n\n\n\n",
        "untrusted comment: x\nAAAA\ntrusted comment: \nAAAA\n",
    ] {
        assert!(verify(KEY, TEXT, text.as_bytes()).is_err(), "{text:?}");
    }
    for end in 0..SIGNATURE.trim_end().len() {
        assert!(
            verify(KEY, TEXT, &SIGNATURE.as_bytes()[..end]).is_err(),
            "{end}"
        );
    }
    assert!(verify(KEY, TEXT, &[0xff; 300]).is_err());
    assert!(check_key(KEY).is_ok());
    assert!(check_key("").is_err());
    assert!(check_key(&KEY[1..]).is_err());
    assert!(check_key(&KEY.replace('R', "S")).is_err());
}

#[test]
fn minisign_itself_signs_what_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let run = |arguments: &[&str]| {
        let minisign = Command::new("minisign")
            .args(arguments)
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .status();
        minisign.map(|status| assert!(status.success(), "{arguments:?}"))
    };
    if run(&["-GW", "-p", "key.pub", "-s", "key"]).is_err() {
        eprintln!("SKIPPED: minisign is missing");
        return;
    }
    fs::write(at("mesh.toml"), TEXT).unwrap();
    run(&["-S", "-s", "key", "-m", "mesh.toml"]).unwrap();
    let key = fs::read_to_string(at("key.pub")).unwrap();
    let key = key.lines().nth(1).unwrap();
    let signature = fs::read(at("mesh.toml.minisig")).unwrap();
    assert_eq!(verify(key, TEXT, &signature), Ok(()));
    assert!(verify(key, &TEXT[1..], &signature).is_err());
}
