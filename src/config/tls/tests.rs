use std::{io, path::Path};

use super::{
    super::{
        error::Problem,
        parse::parse,
        reader::{self, Findings},
    },
    *,
};

/// A certificate that signs itself, and its key; both made for these tests.
const CERT: &str = include_str!("cert.pem");
const KEY: &str = include_str!("key.pem");
/// Another one.
const OTHER_CERT: &str = include_str!("other-cert.pem");
const OTHER_KEY: &str = include_str!("other-key.pem");

fn files(path: &Path) -> io::Result<String> {
    let name = path.to_str().and_then(|path| path.strip_prefix("/etc/vacancy/"));
    match name {
        Some("cert") => Ok(CERT.into()),
        Some("key") => Ok(KEY.into()),
        Some("other-cert") => Ok(OTHER_CERT.into()),
        Some("other-key") => Ok(OTHER_KEY.into()),
        Some("version-1") => Ok(include_str!("version-1.pem").into()),
        Some("p-521") => Ok(format!("{CERT}{}", include_str!("p-521.pem"))),
        Some("both") => Ok(format!("# ours\n{CERT}{OTHER_CERT}")),
        Some("one-file") => Ok(format!("{CERT}{KEY}")),
        Some("locked-key") => Ok(KEY.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")),
        Some("torn") => Ok(CERT.replace("-----END", "")),
        Some("not-der") => Ok("-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n".into()),
        Some("text") => Ok("hunter2".into()),
        Some("empty") => Ok("\n".into()),
        _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
    }
}

fn read(url: Option<&str>, yaml: &str) -> (TlsSettings, Vec<String>) {
    let files = Files {
        folder: Path::new("/etc/vacancy"),
        read: &files,
    };
    let mut findings = Findings::default();
    let tree = parse(yaml).expect(yaml);
    let settings = reader::read(tree, &mut findings, |endpoint| tls(endpoint, &files, url));
    (settings, findings.problems.iter().map(Problem::to_string).collect())
}

fn read_server(yaml: &str) -> (Option<ServerTls>, Vec<String>) {
    let files = Files {
        folder: Path::new("/etc/vacancy"),
        read: &files,
    };
    let mut findings = Findings::default();
    let tree = parse(yaml).expect(yaml);
    let settings = reader::read(tree, &mut findings, |server| server_tls(server, &files));
    (settings, findings.problems.iter().map(Problem::to_string).collect())
}

#[track_caller]
fn accepted(yaml: &str) -> TlsSettings {
    let (settings, problems) = read(Some("https://h/"), yaml);
    assert_eq!(problems, [""; 0], "{yaml}");
    settings
}

#[track_caller]
fn refused(yaml: &str, want: &[&str]) {
    let (_, problems) = read(Some("https://h/"), yaml);
    assert_eq!(problems, want, "{yaml}");
    assert!(!problems.concat().contains("hunter2"));
}

#[test]
fn a_certificate_that_a_receiver_cannot_show_is_warned_of_with_what_makes_a_good_one() {
    let files = Files {
        folder: Path::new("/etc/vacancy"),
        read: &files,
    };
    let warnings = |name: &str| {
        let mut findings = Findings::default();
        let tree = parse(&format!("tls: {{roots: {name}}}")).expect("YAML");
        reader::read(tree, &mut findings, |endpoint| {
            tls(endpoint, &files, Some("https://h/"))
        });
        assert_eq!(findings.problems, []);
        findings.warnings.iter().map(Problem::to_string).collect::<Vec<_>>()
    };
    let line = "a receiver that shows it cannot be reached; make one by: openssl req -x509 -newkey ec -pkeyopt \
                ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=HOST -addext subjectAltName=DNS:HOST -keyout key.pem \
                -out cert.pem";
    assert_eq!(warnings("cert"), [""; 0]);
    for (name, what) in [
        (
            "version-1",
            "certificate 1 in it has version 1, which is supported only for an authority's",
        ),
        (
            "p-521",
            "certificate 2 in it has a key on P-521, which is not supported",
        ),
    ] {
        let want = format!("tls.roots: {what}: {line}");
        assert_eq!(warnings(name), [want]);
    }
}

#[test]
fn without_files_tls_is_spoken_as_by_default() {
    for yaml in ["", "tls:", "tls: {}"] {
        let settings = accepted(yaml);
        assert!(settings.roots.is_none() && settings.identity.is_none());
    }
}

#[test]
fn roots_are_certificates() {
    assert_eq!(accepted("tls: {roots: cert}").roots.as_deref(), Some(CERT));
    let both = accepted("tls: {roots: /etc/vacancy/both}").roots.expect("given");
    assert!(both.contains(OTHER_CERT));
    refused(
        "tls: {roots: none}",
        &["tls.roots: /etc/vacancy/none cannot be read: no such file"],
    );
    refused("tls: {roots: empty}", &["tls.roots: /etc/vacancy/empty is empty"]);
    refused("tls: {roots: text}", &["tls.roots: holds no certificate in PEM form"]);
    refused("tls: {roots: key}", &["tls.roots: holds no certificate in PEM form"]);
    refused("tls: {roots: torn}", &["tls.roots: is not PEM"]);
    let (_, problems) = read(None, "tls: {roots: not-der}");
    let start = "tls.roots: cannot be used, because of certificate 1 in it: ";
    assert!(problems[0].starts_with(start), "{problems:?}");
    refused("tls: {root: cert}", &["tls.root: unknown key, did you mean `roots`?"]);
    refused("tls: {roots: ''}", &["tls.roots: is empty"]);
}

#[test]
fn a_certificate_comes_with_the_key_that_belongs_to_it() {
    let identity = accepted("tls: {cert: both, key: key}").identity.expect("given");
    assert!(identity.cert.contains(CERT) && identity.cert.contains(OTHER_CERT));
    assert_eq!(identity.key.expose_secret(), KEY);
    assert!(accepted("tls: {cert: other-cert, key: other-key}").identity.is_some());
    assert!(accepted("tls: {cert: one-file, key: one-file}").identity.is_some());
    refused(
        "tls: {cert: cert, key: other-key}",
        &["tls.key: does not belong to the first certificate of `cert`"],
    );
    refused(
        "tls: {cert: cert}",
        &["tls.key: is missing, `cert` and `key` go together"],
    );
    refused(
        "tls: {key: key, roots: cert}",
        &["tls.cert: is missing, `cert` and `key` go together"],
    );
}

#[test]
fn what_is_no_certificate_and_no_key_is_said_of_both() {
    let no_key = "tls.key: holds no private key in PEM form without a passphrase";
    refused(
        "tls: {cert: text, key: text}",
        &["tls.cert: holds no certificate in PEM form", no_key],
    );
    refused("tls: {cert: cert, key: cert}", &[no_key]);
    refused("tls: {cert: cert, key: locked-key}", &[no_key]);
    refused(
        "tls: {cert: key, key: key}",
        &["tls.cert: holds no certificate in PEM form"],
    );
    refused(
        "tls: {cert: none, key: empty}",
        &[
            "tls.cert: /etc/vacancy/none cannot be read: no such file",
            "tls.key: /etc/vacancy/empty is empty",
        ],
    );
}

#[test]
fn tls_is_for_https_only() {
    let problems = |url, yaml| read(url, yaml).1;
    let want = ["tls: is for a URL with https://, remove it"];
    assert_eq!(problems(Some("http://h/"), "tls: {roots: cert}"), want);
    assert_eq!(problems(Some("HTTP://https/"), "tls: {roots: cert}"), want);
    assert_eq!(problems(Some("HTTPS://h/"), "tls: {roots: cert}"), [""; 0]);
    assert_eq!(problems(None, "tls: {roots: cert}"), [""; 0]);
    assert_eq!(problems(Some("http://h/"), "tls: {}"), [""; 0]);
}

#[test]
fn nothing_that_is_read_shows_the_key() {
    let settings = accepted("tls: {cert: cert, key: key}");
    let line = KEY.lines().nth(1).expect("a line");
    assert!(!format!("{settings:?}").contains(line));
}

#[test]
fn a_server_speaks_tls_when_it_is_given_a_certificate() {
    for yaml in ["", "tls:", "tls: {}"] {
        assert!(
            matches!(&read_server(yaml), (None, problems) if problems.is_empty()),
            "{yaml}"
        );
    }
    let (tls, problems) = read_server("tls: {cert: both, key: /etc/vacancy/key}");
    assert_eq!(problems, [""; 0]);
    let tls = tls.expect("given");
    assert_eq!(tls.cert_file, Path::new("/etc/vacancy/both"));
    assert_eq!(tls.key_file, Path::new("/etc/vacancy/key"));
    assert!(tls.identity.cert.contains(CERT));
    assert!(!format!("{tls:?}").contains(KEY.lines().nth(1).expect("a line")));
}

#[test]
fn everything_wrong_with_the_certificate_of_a_server_is_said() {
    let no_key = "tls.key: holds no private key in PEM form without a passphrase";
    for (yaml, want) in [
        (
            "{cert: cert}",
            &["tls.key: is missing, `cert` and `key` go together"][..],
        ),
        ("{key: key}", &["tls.cert: is missing, `cert` and `key` go together"]),
        (
            "{cert: none, key: empty}",
            &[
                "tls.cert: /etc/vacancy/none cannot be read: no such file",
                "tls.key: /etc/vacancy/empty is empty",
            ],
        ),
        (
            "{cert: text, key: text}",
            &["tls.cert: holds no certificate in PEM form", no_key],
        ),
        ("{cert: cert, key: locked-key}", &[no_key]),
        (
            "{cert: cert, key: other-key}",
            &["tls.key: does not belong to the first certificate of `cert`"],
        ),
        (
            "{cert: cert, key: key, roots: cert}",
            &["tls.roots: unknown key, known are cert, key"],
        ),
    ] {
        let (tls, problems) = read_server(&format!("tls: {yaml}"));
        assert_eq!(problems, want, "{yaml}");
        assert!(tls.is_none() || yaml.contains("roots"), "{yaml}");
    }
}
