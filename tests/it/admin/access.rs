//! Who may ask, and what is said to those who may not or cannot.

use crate::harness::{Folder, Process, Receiver};

use super::{Admin, TOKEN, config, run};

#[tokio::test]
async fn without_the_token_nothing_is_told() {
    let admin = Admin::start(&Receiver::start().await);
    for (path, token) in [
        ("/admin/v1/webhooks/endpoints", None),
        ("/admin/v1/webhooks/endpoints", Some("a-token-for-test")),
        ("/admin/v1/openapi.json", None),
        ("/", Some("")),
    ] {
        let refused = admin.ask("GET", path, token).await;
        assert_eq!(refused.status, 401, "{path}");
        assert!(refused.json()["error"].is_string());
    }
    let log = admin.server.log();
    assert!(log.contains("refused requests without the right token: 1"), "{log}");
    assert!(!log.contains("a-token-for-test"), "{log}");
    let answered = admin.ask("GET", "/admin/v1/webhooks/endpoints", Some(TOKEN)).await;
    assert_eq!(answered.status, 200);
}

#[tokio::test]
async fn without_a_token_in_the_configuration_nothing_listens() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config(0, &receiver, "").replace(&format!(", token: {TOKEN}"), ""));
    assert!(!server.log().contains("admin API"), "{}", server.log());
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_before_anything_begins() {
    let receiver = Receiver::start().await;
    let admin = Admin::start(&receiver);
    let text = config(admin.port(), &receiver, "").replace("server: {", "server: {listen: \"127.0.0.1:0\", ");
    let folder = Folder::new().with("my.yaml", &text);
    let yaml = folder.file("my.yaml");
    let ran = run(&["--config", yaml.to_str().expect("UTF-8")], None).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("(admin.listen): Address already in use"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("listening on"), "{}", ran.stderr);
}

#[tokio::test]
async fn the_api_is_not_on_the_port_of_the_clients() {
    let admin = Admin::start(&Receiver::start().await);
    let clients = format!("http://127.0.0.1:{}", admin.server.port);
    let ran = run(&["webhooks", "list", "--url", &clients], Some(TOKEN)).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(ran.stderr.contains("is not the admin API"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_wrong_token_is_told_with_where_it_came_from_and_without_it() {
    let admin = Admin::start(&Receiver::start().await);
    let ran = run(&["webhooks", "list", "--url", &admin.url], Some("not-the-right-one")).await;
    let want = format!(
        "vacancy: the server at {} refuses the token of the variable VACANCY_ADMIN_TOKEN; it wants the one of its \
         admin.token\n",
        admin.url
    );
    assert_eq!((ran.code, ran.stderr), (Some(1), want));
}

#[tokio::test]
async fn a_token_is_taken_from_a_file_or_from_the_configuration() {
    let receiver = Receiver::start().await;
    let admin = Admin::start(&receiver);
    let folder = Folder::new()
        .with("token", &format!("{TOKEN}\n"))
        .with("my.yaml", &config(admin.port(), &receiver, ""));
    let (file, yaml) = (folder.file("token"), folder.file("my.yaml"));
    let path = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
    let from_file = run(
        &["webhooks", "list", "--url", &admin.url, "--token-file", &path(&file)],
        None,
    )
    .await;
    let from_config = run(&["webhooks", "list", "--config", &path(&yaml)], None).await;
    assert_eq!((from_file.code, from_file.stderr.as_str()), (Some(0), ""));
    assert_eq!((from_config.code, from_config.stdout), (Some(0), from_file.stdout));
}

#[tokio::test]
async fn a_server_that_is_not_there_and_a_token_that_is_missing_are_told_with_what_to_do() {
    let ran = run(&["why", "room", "--url", "http://127.0.0.1:1"], Some(TOKEN)).await;
    assert_eq!(ran.code, Some(1));
    for part in [
        "cannot reach the admin API at http://127.0.0.1:1",
        "vacancy serve",
        "admin.token",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    let folder = std::env::temp_dir();
    let mut command = super::command(&["channels"], None);
    let output = command.current_dir(folder).output().await.expect("the program starts");
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1));
    for part in [
        "there is no token",
        "VACANCY_ADMIN_TOKEN",
        "--token-file",
        "admin.token",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[tokio::test]
async fn the_description_is_openapi_3_1_and_names_every_route() {
    let admin = Admin::start(&Receiver::start().await);
    let described = admin.ask("GET", "/admin/v1/openapi.json", Some(TOKEN)).await.json();
    assert_eq!(described["openapi"], "3.1.0");
    let paths = described["paths"].as_object().expect("a map");
    let mut routes: Vec<String> = Vec::new();
    for (path, methods) in paths {
        let methods = methods.as_object().expect("a map").keys();
        routes.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    routes.sort();
    let want = [
        "DELETE /admin/v1/webhooks/dead",
        "GET /admin/v1/apps",
        "GET /admin/v1/apps/{app}/channels/{channel}/why",
        "GET /admin/v1/channels",
        "GET /admin/v1/ledger",
        "GET /admin/v1/ledger/backup",
        "GET /admin/v1/openapi.json",
        "GET /admin/v1/webhooks/dead",
        "GET /admin/v1/webhooks/endpoints",
        "GET /admin/v1/webhooks/endpoints/{app}/{id}",
        "GET /admin/v1/webhooks/listen",
        "GET /admin/v1/webhooks/log",
        "GET /admin/v1/webhooks/log/stream",
        "POST /admin/v1/webhooks/endpoints/{app}/{id}/disable",
        "POST /admin/v1/webhooks/endpoints/{app}/{id}/enable",
        "POST /admin/v1/webhooks/endpoints/{app}/{id}/pause",
        "POST /admin/v1/webhooks/endpoints/{app}/{id}/resume",
        "POST /admin/v1/webhooks/endpoints/{app}/{id}/retry",
        "POST /admin/v1/webhooks/endpoints/{app}/{id}/test",
        "POST /admin/v1/webhooks/replay",
    ];
    assert_eq!(routes, want);
    let schemas = described["components"]["schemas"].as_object().expect("a map");
    let text = described.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().expect("a name");
        assert!(schemas.contains_key(name), "{name} is described");
    }
    assert_eq!(described["components"]["securitySchemes"]["token"]["scheme"], "bearer");
}
