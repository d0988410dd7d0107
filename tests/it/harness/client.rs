//! A WebSocket client that speaks literal frames.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async, connect_async_tls_with_config,
    tungstenite::{Message, client::IntoClientRequest},
};

use super::{APP, App, KEY, hmac_hex, neighbour, tls_connector, within};

/// A client of an app, by default the test app.
pub struct Client {
    /// The app whose secret signs for it.
    pub app: App,
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The id that the handshake gave it.
    pub socket_id: String,
    /// The port of the server.
    pub port: u16,
}

/// What a client received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    Text(String),
    Ping,
    Pong(Vec<u8>),
    Close(u16, String),
    /// The connection ended without a close frame.
    End,
}

impl Client {
    /// Connects with protocol 7 and reads the handshake.
    pub async fn connect(port: u16) -> Self {
        Self::connect_to(port, &format!("/app/{KEY}?protocol=7&client=test&version=1")).await
    }

    /// Connects to an app with protocol 7 and reads the handshake.
    pub async fn connect_as(port: u16, app: App) -> Self {
        let mut client = Self::connect_to(port, &format!("/app/{}?protocol=7&client=test&version=1", app.key)).await;
        client.app = app;
        client
    }

    /// The same where the server may be down or refuse it.
    pub async fn try_connect_as(port: u16, app: App) -> Option<Self> {
        let url = format!("ws://127.0.0.1:{port}/app/{}?protocol=7&client=test&version=1", app.key);
        let (socket, _) = connect_async(url).await.ok()?;
        let mut client = Self {
            app,
            socket,
            socket_id: String::new(),
            port,
        };
        let handshake = client.next_whenever().await;
        client.established_by(&handshake)
    }

    /// Connects on a path and reads the handshake.
    pub async fn connect_to(port: u16, path: &str) -> Self {
        Self::open(port, path).await.established().await
    }

    /// Reads the handshake.
    async fn established(mut self) -> Self {
        let frame = self.next().await;
        let established = self.established_by(&frame);
        established.unwrap_or_else(|| panic!("no handshake: {frame:?}"))
    }

    /// Takes its id from a frame, which must be the handshake.
    fn established_by(mut self, frame: &Frame) -> Option<Self> {
        let Frame::Text(text) = frame else { return None };
        let frame: serde_json::Value = serde_json::from_str(text).ok()?;
        let data: serde_json::Value = serde_json::from_str(frame["data"].as_str()?).ok()?;
        data["socket_id"].as_str()?.clone_into(&mut self.socket_id);
        (frame["event"] == "pusher:connection_established").then_some(self)
    }

    /// Opens a WebSocket on a path, and reads nothing.
    pub async fn open(port: u16, path: &str) -> Self {
        Self::open_with(port, path, &[]).await
    }

    /// The same with headers besides.
    pub async fn open_with(port: u16, path: &str, headers: &[(&'static str, &str)]) -> Self {
        let mut request = format!("ws://127.0.0.1:{port}{path}")
            .into_client_request()
            .expect("a request");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        let (socket, _) = within("connect", connect_async(request)).await.expect("connects");
        Self {
            app: APP,
            socket,
            socket_id: String::new(),
            port,
        }
    }

    /// Connects through TLS with protocol 7 and reads the handshake.
    pub async fn connect_over_tls(port: u16) -> Self {
        Self::open_over_tls(port, &format!("/app/{KEY}?protocol=7&client=test&version=1"))
            .await
            .established()
            .await
    }

    /// Opens a WebSocket on a path through TLS, and reads nothing.
    pub async fn open_over_tls(port: u16, path: &str) -> Self {
        let url = format!("wss://127.0.0.1:{port}{path}");
        let connecting = connect_async_tls_with_config(url, None, true, Some(tls_connector()));
        let (socket, _) = within("connect", connecting).await.expect("connects");
        Self {
            app: APP,
            socket,
            socket_id: String::new(),
            port,
        }
    }

    /// Sends a text frame. Before a subscription the neighbour joins a channel of that name.
    pub async fn send(&mut self, text: &str) {
        if self.app == APP {
            neighbour::meet(self.port, text).await;
        }
        self.socket.send(Message::text(text)).await.expect("sends");
    }

    /// Sends a text frame; false when the connection has ended.
    pub async fn try_send(&mut self, text: &str) -> bool {
        self.socket.send(Message::text(text)).await.is_ok()
    }

    /// Puts a text frame where the next [`send`](Self::send) takes it along.
    pub async fn feed(&mut self, text: &str) {
        self.socket.feed(Message::text(text)).await.expect("feeds");
    }

    /// Sends any frame.
    pub async fn send_message(&mut self, message: Message) {
        self.socket.send(message).await.expect("sends");
    }

    /// Receives the next frame. Pings of the server are answered and given.
    pub async fn next(&mut self) -> Frame {
        within("a frame", self.next_whenever()).await
    }

    /// The same, however long it takes.
    pub async fn next_whenever(&mut self) -> Frame {
        match self.socket.next().await {
            Some(Ok(Message::Text(text))) => Frame::Text(text.to_string()),
            Some(Ok(Message::Ping(_))) => Frame::Ping,
            Some(Ok(Message::Pong(payload))) => Frame::Pong(payload.to_vec()),
            Some(Ok(Message::Close(Some(close)))) => Frame::Close(close.code.into(), close.reason.to_string()),
            Some(Ok(Message::Close(None))) => Frame::Close(1005, String::new()),
            Some(Ok(other)) => panic!("not expected: {other:?}"),
            Some(Err(_)) | None => Frame::End,
        }
    }

    /// Receives the next frame, which must be this text.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        let text = text.to_owned();
        async move {
            let got = self.next().await;
            assert_eq!(got, Frame::Text(text), "at {caller}");
        }
    }

    /// Receives the next frame, which must be a text, as JSON.
    pub async fn next_json(&mut self) -> serde_json::Value {
        let frame = self.next().await;
        let Frame::Text(text) = &frame else {
            panic!("not a text: {frame:?}");
        };
        serde_json::from_str(text).expect("JSON")
    }

    /// Sends a ping of the protocol and expects the pong to be the next frame: everything sent
    /// before was handled, and nothing else was received.
    #[track_caller]
    pub fn expect_nothing(&mut self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            self.send(r#"{"event":"pusher:ping","data":{}}"#).await;
            let got = self.next().await;
            let pong = Frame::Text(r#"{"event":"pusher:pong","data":"{}"}"#.into());
            assert_eq!(got, pong, "at {caller}");
        }
    }

    /// Sends the subscription to a public channel.
    pub async fn send_subscribe(&mut self, channel: &str) {
        self.send(&format!(
            r#"{{"event":"pusher:subscribe","data":{{"channel":"{channel}"}}}}"#
        ))
        .await;
    }

    /// Subscribes to a public, private or presence channel (as `user` there) and expects the
    /// confirmation to be the next frame.
    pub async fn subscribe_as(&mut self, channel: &str, user: Option<&str>) -> serde_json::Value {
        let text = self.subscription(channel, user);
        self.send(&text).await;
        let confirmation = self.next_json().await;
        assert_eq!(
            (&confirmation["event"], &confirmation["channel"]),
            (&"pusher_internal:subscription_succeeded".into(), &channel.into()),
            "{confirmation}"
        );
        confirmation
    }

    /// Subscribes to a public or private channel.
    pub async fn subscribe(&mut self, channel: &str) {
        self.subscribe_as(channel, None).await;
    }

    /// Ends a subscription; there is no answer to it.
    pub async fn unsubscribe(&mut self, channel: &str) {
        self.send(&format!(
            r#"{{"event":"pusher:unsubscribe","data":{{"channel":"{channel}"}}}}"#
        ))
        .await;
    }

    /// The text of a signed subscription.
    pub fn subscription(&self, channel: &str, user: Option<&str>) -> String {
        let channel_data = user.map(|user| format!(r#"{{"user_id":"{user}"}}"#));
        let to_sign = match &channel_data {
            Some(data) => format!("{}:{channel}:{data}", self.socket_id),
            None => format!("{}:{channel}", self.socket_id),
        };
        let mut data = serde_json::json!({
            "channel": channel,
            "auth": self.auth(&to_sign),
        });
        if let Some(channel_data) = channel_data {
            data["channel_data"] = channel_data.into();
        }
        serde_json::json!({ "event": "pusher:subscribe", "data": data }).to_string()
    }

    /// What its app's back end answers to a text that it is to sign.
    fn auth(&self, to_sign: &str) -> String {
        format!("{}:{}", self.app.key, hmac_hex(self.app.secret, to_sign))
    }

    /// The text of a signed sign-in with this `user_data`.
    pub fn sign_in_text(&self, user_data: &str) -> String {
        let auth = self.auth(&format!("{}::user::{user_data}", self.socket_id));
        let data = serde_json::json!({ "auth": auth, "user_data": user_data });
        serde_json::json!({ "event": "pusher:signin", "data": data }).to_string()
    }

    /// Signs in with this `user_data` and expects the confirmation to be the next frame.
    #[track_caller]
    pub fn sign_in(&mut self, user_data: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        let text = self.sign_in_text(user_data);
        let user_data = serde_json::Value::from(user_data);
        async move {
            self.send(&text).await;
            let want = format!(r#"{{"event":"pusher:signin_success","data":{{"user_data":{user_data}}}}}"#);
            assert_eq!(self.next().await, Frame::Text(want), "at {caller}");
        }
    }

    /// Vanishes: the kernel sends RST, no close frame and no FIN.
    pub fn reset(self) {
        let MaybeTlsStream::Plain(socket) = self.socket.get_ref() else {
            panic!("not a plain socket");
        };
        let now = Some(std::time::Duration::ZERO);
        socket2::SockRef::from(socket).set_linger(now).expect("a TCP socket");
    }

    /// Closes properly and waits for the end.
    pub async fn close(mut self) {
        let _ = self.socket.close(None).await;
        while self.next().await != Frame::End {}
    }
}
