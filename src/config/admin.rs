//! The API for operators.

use std::net::SocketAddr;

use secrecy::{ExposeSecret, SecretString};

use super::{
    files::Files,
    reader::{Section, hidden},
    settings::AdminSettings,
    source::{Origin, Value},
    values::{self, Wrong},
};

/// Fewest characters of a token.
const TOKEN_LEN_MIN: usize = 16;

/// Reads `admin`; `taken` is where the server listens.
pub(super) fn admin(root: &mut Section<'_>, files: &Files<'_>, taken: SocketAddr) -> AdminSettings {
    root.section("admin", |admin| {
        let listen = admin.or_default("listen", "127.0.0.1:6002", values::address);
        let token = token(admin, files);
        if token.is_some() && listen == taken && listen.port() != 0 {
            admin.problem("listen", "is server.listen too, give it another port");
        }
        if token.is_some() && !listen.ip().to_canonical().is_loopback() {
            admin.warning(
                "listen",
                format!(
                    "{listen} is open to other machines, and the token crosses the network in clear: put TLS in front \
                     or keep it on 127.0.0.1"
                ),
            );
        }
        AdminSettings { listen, token }
    })
}

/// Reads `token`, or the file that `token_file` names. Without one, and with an empty one, there
/// is none.
fn token(admin: &mut Section<'_>, files: &Files<'_>) -> Option<SecretString> {
    let (typed, in_file) = (admin.has("token"), admin.has("token_file"));
    if !typed && !in_file {
        admin.note("token", shown_token(&Value::Text(String::new())), Origin::Default);
    }
    let token = admin.optional("token", typed_token, shown_token);
    let file = admin.optional(
        "token_file",
        |value| values::filled(value).map(str::to_owned),
        Value::shown,
    );
    if typed && in_file {
        admin.problem("token", "stands beside `token_file`, remove one of them");
        return None;
    }
    if typed {
        return token?;
    }
    let token = files.line(admin, "token_file", &file?)?;
    match checked(token) {
        Ok(token) => Some(token),
        Err(wrong) => {
            admin.problem("token_file", wrong);
            None
        }
    }
}

fn typed_token(value: &Value) -> Result<Option<SecretString>, Wrong> {
    let token = values::text(value)?;
    if token.is_empty() {
        return Ok(None);
    }
    checked(token.into()).map(Some)
}

/// A token that a header can bear and that is not guessed.
fn checked(token: SecretString) -> Result<SecretString, Wrong> {
    let text = token.expose_secret();
    if text.len() < TOKEN_LEN_MIN || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Wrong::Token { least: TOKEN_LEN_MIN });
    }
    Ok(token)
}

fn shown_token(value: &Value) -> String {
    if value.as_text() == Some("") {
        value.shown()
    } else {
        hidden(value)
    }
}

#[cfg(test)]
mod tests {
    use std::{io, path::Path};

    use super::{
        super::{
            error::Problem,
            parse::parse,
            reader::{self, Findings},
        },
        *,
    };

    const TOKEN: &str = "hunter2-hunter22";
    const WANT: &str = "must be 16 or more visible ASCII characters without spaces, or empty, which turns the API \
                        off; make a good one with `openssl rand -hex 16`";

    fn files(path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("etc/token") => Ok(format!("{TOKEN}\n")),
            Some("etc/short") => Ok("hunter2\n".into()),
            Some("etc/empty") => Ok("\n".into()),
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
        }
    }

    fn read(admin_yaml: &str) -> (AdminSettings, Findings) {
        let yaml = format!("admin: {admin_yaml}");
        let files = Files {
            folder: Path::new("etc"),
            read: &files,
        };
        let mut findings = Findings::default();
        let taken = "127.0.0.1:6001".parse().expect("valid");
        let tree = parse(&yaml).expect(&yaml);
        let settings = reader::read(tree, &mut findings, |root| admin(root, &files, taken));
        (settings, findings)
    }

    #[track_caller]
    fn accepted(admin_yaml: &str, listen: &str, token: Option<&str>) {
        let (settings, findings) = read(admin_yaml);
        assert_eq!(findings.problems, [], "{admin_yaml}");
        assert_eq!(settings.listen.to_string(), listen);
        assert_eq!(settings.token.as_ref().map(ExposeSecret::expose_secret), token);
    }

    #[track_caller]
    fn refused(admin_yaml: &str, want: &[&str]) {
        let (settings, findings) = read(admin_yaml);
        let said: Vec<_> = findings.problems.iter().map(Problem::to_string).collect();
        assert_eq!(said, want, "{admin_yaml}");
        assert!(!said.concat().contains("hunter2") && !format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn without_a_token_the_api_is_off() {
        for yaml in ["", "{}", "{token: ''}"] {
            accepted(yaml, "127.0.0.1:6002", None);
        }
    }

    #[test]
    fn a_token_is_typed_or_in_a_file() {
        accepted(&format!("{{token: {TOKEN}}}"), "127.0.0.1:6002", Some(TOKEN));
        accepted("{token_file: token, listen: '[::]:7'}", "[::]:7", Some(TOKEN));
        refused(
            &format!("{{token: {TOKEN}, token_file: token}}"),
            &["admin.token: stands beside `token_file`, remove one of them"],
        );
        refused(
            "{token_file: none}",
            &["admin.token_file: etc/none cannot be read: no such file"],
        );
        refused("{token_file: empty}", &["admin.token_file: etc/empty is empty"]);
        refused("{token_file: ''}", &["admin.token_file: is empty"]);
    }

    #[test]
    fn a_token_is_long_enough_and_fits_into_a_header() {
        let token = format!("admin.token: {WANT}");
        for typed in ["hunter2", "hunter2-hunter2", "'hunter2 hunter22'", "hunter2-hünter22"] {
            refused(&format!("{{token: {typed}}}"), &[&token]);
        }
        refused("{token_file: short}", &[&format!("admin.token_file: {WANT}")]);
        refused(
            "{token: 1234567890123456}",
            &["admin.token: YAML reads it as a whole number, put it in quotes"],
        );
        refused("{tokn: x}", &["admin.tokn: unknown key, did you mean `token`?"]);
    }

    #[test]
    fn the_api_has_a_port_of_its_own_when_it_is_on() {
        refused(
            &format!("{{token: {TOKEN}, listen: '127.0.0.1:6001'}}"),
            &["admin.listen: is server.listen too, give it another port"],
        );
        accepted("{listen: '127.0.0.1:6001'}", "127.0.0.1:6001", None);
        accepted(
            &format!("{{token: {TOKEN}, listen: '127.0.0.1:0'}}"),
            "127.0.0.1:0",
            Some(TOKEN),
        );
    }

    #[test]
    fn an_address_that_others_reach_is_warned_of_when_the_api_is_on() {
        let warned = |listen: &str, token: &str| {
            let (_, findings) = read(&format!("{{listen: '{listen}', token: '{token}'}}"));
            assert_eq!(findings.problems, []);
            findings.warnings.iter().map(Problem::to_string).collect::<Vec<_>>()
        };
        for listen in ["0.0.0.0:6002", "[::]:6002", "192.168.0.7:6002"] {
            let want = format!(
                "admin.listen: {listen} is open to other machines, and the token crosses the network in clear: put TLS \
                 in front or keep it on 127.0.0.1"
            );
            assert_eq!(warned(listen, TOKEN), [want]);
            assert_eq!(warned(listen, ""), [""; 0]);
        }
        for listen in ["127.0.0.1:6002", "[::1]:6002", "[::ffff:127.0.0.1]:6002"] {
            assert_eq!(warned(listen, TOKEN), [""; 0]);
        }
    }

    #[test]
    fn the_report_hides_the_token_and_shows_that_there_is_none() {
        let line = |p: &reader::Provenance| format!("{} = {} ({})", p.path, p.value, p.origin);
        let report = |yaml: &str| read(yaml).1.report[1..].iter().map(line).collect::<Vec<_>>();
        assert_eq!(report(""), ["admin.token = \"\" (default)"]);
        assert_eq!(report("{token: ''}"), ["admin.token = \"\" (file)"]);
        assert_eq!(
            report(&format!("{{token: {TOKEN}}}")),
            ["admin.token = ******** (file)"]
        );
        assert_eq!(report("{token_file: token}"), ["admin.token_file = token (file)"]);
    }
}
