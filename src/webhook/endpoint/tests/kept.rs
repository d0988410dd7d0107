//! Connections that are kept, and what a request makes of one that the receiver has closed.

use std::{net::TcpStream, sync::Barrier};

use super::*;

/// What a receiver does with a request.
#[derive(Debug, Clone, Copy)]
enum Turn {
    /// Answers it with this text, or begins to.
    Answer(&'static str),
    /// Reads it and closes the connection.
    Close,
    /// Closes the connection when it has read the beginning, so that the rest cannot be written.
    CloseUnread,
}

use Turn::{Answer, Close, CloseUnread};

const HTTP_1_0: &str = "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n";
const CLOSING: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// A receiver that takes a turn for each request on a connection, and closes it after the last. It
/// gives the port and each request with the number of its connection.
fn turns(connections: &'static [&'static [Turn]]) -> (u16, mpsc::Receiver<(usize, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    // So that a request of a few megabytes cannot be written at once.
    let sized = socket2::SockRef::from(&listener).set_recv_buffer_size(16 * 1_024);
    sized.expect("a TCP socket");
    let port = listener.local_addr().expect("bound").port();
    let (sender, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for (number, turns) in connections.iter().enumerate() {
            let (mut socket, _) = listener.accept().expect("accepts");
            let sender = sender.clone();
            std::thread::spawn(move || {
                for turn in *turns {
                    if let CloseUnread = turn {
                        socket.read_exact(&mut [0; 100]).expect("reads");
                        let _ = sender.send((number, String::new()));
                        return;
                    }
                    let Some(request) = read_request(&mut socket) else {
                        return;
                    };
                    let _ = sender.send((number, request));
                    match turn {
                        Answer(text) => socket.write_all(text.as_bytes()).expect("writes"),
                        Close | CloseUnread => return,
                    }
                }
            });
        }
    });
    (port, requests)
}

/// The next request, unless the connection ends before.
fn read_request(socket: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut chunk = [0; 64 * 1_024];
    while !request.ends_with(b"]}") {
        match socket.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(read) => request.extend_from_slice(&chunk[..read]),
        }
    }
    Some(String::from_utf8(request).expect("UTF-8"))
}

impl Rig {
    /// Delivers a request, which must succeed at once.
    async fn delivered(&self) {
        self.endpoint.do_send(Deliver(request(1)));
        self.next_delivered().await;
    }

    /// Waits for an answer, which must be a success.
    async fn next_delivered(&self) {
        let answer = next(&self.answers).await;
        assert_eq!(answer.outcome, Outcome::Delivered, "{answer:?}");
    }
}

fn rig(port: u16) -> Rig {
    Rig::start(&format!("http://e.example:{port}/"), &[&["127.0.0.1"]])
}

fn sorted_lines(request: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = request.lines().collect();
    lines.sort_unstable();
    lines
}

/// The numbers of the connections of the requests so far.
fn connections(requests: &mpsc::Receiver<(usize, String)>) -> Vec<usize> {
    requests.try_iter().map(|(number, _)| number).collect()
}

#[actix_rt::test]
async fn a_request_whose_kept_connection_is_closed_is_sent_again_at_once_on_a_fresh_one() {
    let (port, requests) = turns(&[&[Answer(OK), Close], &[Answer(OK)]]);
    let rig = rig(port);
    for _ in 0..2 {
        let answer = rig.deliver().await;
        assert_eq!(answer.outcome, Outcome::Delivered);
        assert_eq!((answer.report.status, answer.report.error), (Some(200), None));
    }
    let requests: Vec<(usize, String)> = requests.try_iter().collect();
    let [(0, _), (0, on_kept), (1, afresh)] = &requests[..] else {
        panic!("{requests:?}");
    };
    assert!(afresh.contains("\r\nX-Vacancy-Attempt: 1\r\n"), "{afresh}");
    // A connection of its own is not kept. The order of headers is by chance.
    let afresh = afresh.replace("\r\nConnection: close\r\n", "\r\n");
    assert_eq!(sorted_lines(&afresh), sorted_lines(on_kept), "the same attempt");
    assert_eq!(rig.answers.try_recv().map_err(drop), Err(()), "nothing failed");
}

#[actix_rt::test]
async fn a_fresh_connection_that_is_closed_is_a_failure_and_is_tried_no_third_time() {
    let (port, requests) = turns(&[&[Answer(OK), Close], &[Close], &[Close], &[Answer(OK)]]);
    let rig = rig(port);
    rig.delivered().await;
    // The kept one and a fresh one.
    assert_eq!(rig.cause().await, "closed the connection without an answer");
    assert_eq!(connections(&requests), [0, 0, 1]);
    // No connection is kept.
    assert_eq!(rig.cause().await, "closed the connection without an answer");
    assert_eq!(connections(&requests), [2]);
    rig.delivered().await;
}

#[actix_rt::test]
async fn a_kept_connection_that_ends_after_a_byte_of_an_answer_is_a_failure() {
    const INTERIM: &str = "HTTP/1.1 103 Early Hints\r\n\r\n";
    let (port, requests) = turns(&[
        &[Answer(OK), Answer("H")],
        &[Answer(OK), Answer("\r\n")],
        &[Answer(OK), Answer(INTERIM)],
        &[],
    ]);
    let rig = rig(port);
    for connection in 0..3 {
        rig.delivered().await;
        rig.cause().await;
        assert_eq!(connections(&requests), [connection; 2]);
    }
}

#[actix_rt::test]
async fn a_request_that_is_being_written_when_its_kept_connection_is_closed_is_sent_again() {
    let (port, requests) = turns(&[&[Answer(OK), CloseUnread], &[Answer(OK)]]);
    let rig = rig(port);
    let mut large = request(1);
    // Some 6 MB, which no socket takes at once. To make them must take less than a connection is kept.
    large.events = vec![Arc::clone(&large.events[0]); 60_000];
    for connections_of_it in [[0].as_slice(), &[0, 1]] {
        rig.endpoint.do_send(Deliver(large.clone()));
        rig.next_delivered().await;
        assert_eq!(connections(&requests), connections_of_it);
    }
}

#[actix_rt::test]
async fn a_connection_is_not_kept_after_an_answer_that_closes_it() {
    let (port, requests) = turns(&[&[Answer(CLOSING), Answer(OK)], &[Answer(HTTP_1_0)], &[Answer(OK)]]);
    let rig = rig(port);
    for connection in 0..3 {
        rig.delivered().await;
        assert_eq!(connections(&requests), [connection]);
    }
}

#[actix_rt::test]
async fn when_all_of_64_kept_connections_are_closed_each_request_is_sent_again_on_one_of_its_own() {
    const LANES: usize = 64;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let accepted = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&accepted);
    let all = Arc::new(Barrier::new(LANES));
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let is_kept = counted.fetch_add(1, Ordering::SeqCst) < LANES;
            let all = Arc::clone(&all);
            std::thread::spawn(move || {
                let _ = read_request(&mut socket);
                if is_kept {
                    // Each of the first requests has a connection of its own by then.
                    all.wait();
                }
                socket.write_all(OK.as_bytes()).expect("writes");
                if is_kept {
                    let _ = read_request(&mut socket);
                    // All the kept ones are in use again, and end together.
                    all.wait();
                }
            });
        }
    });
    let rig = rig(port);
    for connections in [LANES, 2 * LANES] {
        for _ in 0..LANES {
            rig.endpoint.do_send(Deliver(request(1)));
        }
        for _ in 0..LANES {
            rig.next_delivered().await;
        }
        assert_eq!(accepted.load(Ordering::SeqCst), connections);
    }
}
