//! Names with several addresses, some of which do not work.

use std::net::{SocketAddr, TcpStream};

use super::*;

const UNAVAILABLE: &str = "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n";

/// A port at 127.0.0.2 that swallows everything sent to it, as long as this is held.
struct Silent {
    port: u16,
    _listener: socket2::Socket,
    _queued: Vec<TcpStream>,
}

impl Silent {
    fn start() -> Self {
        let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        let any: SocketAddr = "127.0.0.2:0".parse().expect("an address");
        listener.bind(&any.into()).expect("a port");
        listener.listen(0).expect("listens");
        let address = listener.local_addr().expect("bound").as_socket().expect("of IP");
        // Until its queue is full.
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200));
        let queued: Vec<TcpStream> = std::iter::from_fn(|| connect().ok()).take(10).collect();
        assert!(queued.len() < 10, "its queue is bounded");
        Self {
            port: address.port(),
            _listener: listener,
            _queued: queued,
        }
    }
}

#[actix_rt::test]
async fn an_address_that_swallows_what_is_sent_hides_no_other() {
    let silent = Silent::start();
    let (port, requests) = receiver_on(&format!("127.0.0.1:{}", silent.port), &[OK]);
    let url = format!("http://two.example:{port}/");
    let rig = Rig::start(&url, &[&["127.0.0.2", "127.0.0.1"]]);
    assert_eq!(rig.deliver().await.outcome, Outcome::Delivered);
    assert!(requests.try_recv().is_ok());
}

#[actix_rt::test]
async fn an_address_that_refuses_hides_no_other() {
    let (port, requests) = receiver(&[OK]);
    let rig = Rig::start(
        &format!("http://three.example:{port}/"),
        &[&["127.0.0.2", "127.0.0.3", "127.0.0.1"]],
    );
    assert_eq!(rig.deliver().await.outcome, Outcome::Delivered);
    assert!(requests.try_recv().is_ok());
}

#[actix_rt::test]
async fn a_retry_begins_with_another_address() {
    let (port, first) = receiver(&[UNAVAILABLE, UNAVAILABLE]);
    let (_, second) = receiver_on(&format!("127.0.0.2:{port}"), &[UNAVAILABLE, OK]);
    let rig = Rig::start(&format!("http://two.example:{port}/"), &[&["127.0.0.1", "127.0.0.2"]]);
    for (attempt, want) in [(1, [1, 0]), (2, [0, 1]), (3, [1, 0]), (4, [0, 1])] {
        rig.endpoint.do_send(Deliver(request(attempt)));
        let is_delivered = next(&rig.answers).await.outcome == Outcome::Delivered;
        assert_eq!(is_delivered, attempt == 4);
        assert_eq!(
            [first.try_iter().count(), second.try_iter().count()],
            want,
            "attempt {attempt}"
        );
    }
}

#[actix_rt::test]
async fn a_retry_goes_on_no_connection_that_was_kept() {
    // It keeps its connection.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let heard = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&heard);
    std::thread::spawn(move || {
        for socket in listener.incoming().take(2) {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut socket = socket.expect("accepts");
            std::thread::spawn(move || {
                let mut request = [0; 16 * 1_024];
                while socket.read(&mut request).is_ok_and(|read| 0 < read) {
                    socket.write_all(UNAVAILABLE.as_bytes()).expect("writes");
                }
            });
        }
    });
    let rig = Rig::start(&format!("http://one.example:{port}/"), &[&["127.0.0.1"]]);
    for attempt in [1, 2] {
        rig.endpoint.do_send(Deliver(request(attempt)));
        next(&rig.answers).await;
    }
    assert_eq!(heard.load(Ordering::SeqCst), 2);
}
