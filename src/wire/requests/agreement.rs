//! The follower and actix-http see the same requests, over random streams.

use actix_codec::Decoder;
use actix_http::{
    ServiceConfig,
    h1::{Codec, Message, MessageType},
};
use bytes::BytesMut;

use super::*;

/// A source of small numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % count as u64).expect("small")
    }

    fn one_of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len())]
    }
}

/// What actix-http reads in a stream: heads, bodies, and an error at its end.
fn read_by_actix(config: &ServiceConfig, stream: &[u8]) -> Vec<String> {
    let (mut codec, mut bytes, mut read) = (Codec::new(config.clone()), BytesMut::from(stream), Vec::new());
    loop {
        match codec.decode(&mut bytes) {
            Ok(Some(Message::Item(request))) => {
                read.push(format!("{} {}: ", request.method(), request.uri()));
                if codec.message_type() == MessageType::Stream {
                    return read;
                }
            }
            Ok(Some(Message::Chunk(Some(part)))) => {
                let body = read.last_mut().expect("a head");
                body.push_str(&String::from_utf8_lossy(&part));
            }
            Ok(Some(Message::Chunk(None))) => read.last_mut().expect("a head").push_str(" (end)"),
            Ok(None) => return read,
            Err(_) => {
                read.push("error".into());
                return read;
            }
        }
    }
}

/// A request, perhaps an invalid one, with `offer` where an offer may stand.
fn request(dice: &mut Dice, offer: &str) -> String {
    let inner = "GET /in HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n\r\n0\r\n\r\n";
    let inner = &inner[..dice.below(inner.len())];
    let line = dice.one_of(&[
        "GET / HTTP/1.1",
        "POST /a?b=c HTTP/1.1",
        "GET http://h/p HTTP/1.1",
        "POST / HTTP/1.0",
        "PUT * HTTP/1.1",
        "GET / HTTP/1.2",
        "\r\nGET / HTTP/1.1",
        "G@T / HTTP/1.1",
        "GET // HTTP/1.1",
        "GET /é HTTP/1.1",
    ]);
    let host = dice.one_of(&["Host: h\r\n", "Host: h\r\n", "Host: h\r\n", "hOST:\r\n", ""]);
    let length = inner.len();
    let (framing, body) = match dice.below(8) {
        0 | 1 => (format!("Content-Length: {length}\r\n"), inner.to_owned()),
        2 | 3 => {
            let size = dice.one_of(&["", " ", ";a=b", " ;x"]);
            let end = dice.one_of(&[
                "0\r\n\r\n",
                "0\r\n\r\n",
                "00;x\r\nA: b\r\n\r\n",
                "0\r\nA\n\r\n\r\n",
                "0\r\n\n\r\n\r\n",
            ]);
            let chunk = if length == 0 {
                String::new()
            } else {
                format!("{length:x}{size}\r\n{inner}\r\n")
            };
            (
                dice.one_of(&["Transfer-Encoding: chunked\r\n", "transfer-encoding:CHUNKED \r\n"])
                    .to_owned(),
                format!("{chunk}{end}"),
            )
        }
        4 => ("Content-Length: 0\r\n".to_owned(), String::new()),
        5 => {
            let odd = [
                "Content-Length: +1\r\n",
                "Content-Length: 1, 1\r\n",
                "Content-Length: \r\n",
                "Content-Length: 1\r\nContent-Length: 1\r\n",
                "Transfer-Encoding: identity\r\n",
                "Transfer-Encoding: gzip, chunked\r\n",
                "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                "Content-Length : 1\r\n",
            ];
            (dice.one_of(&odd).to_owned(), "x".to_owned())
        }
        _ => (String::new(), String::new()),
    };
    format!("{line}\r\n{host}{framing}{offer}\r\n{body}")
}

fn stream(seed: u64, offer: &str) -> Vec<u8> {
    let mut dice = Dice(seed);
    let count = 1 + dice.below(4);
    let requests: Vec<_> = (0..count).map(|_| request(&mut dice, offer)).collect();
    requests.concat().into_bytes()
}

fn targets() -> Targets<'static> {
    Targets {
        may_upgrade: &|_| false,
        is_target: |target| actix_http::Uri::try_from(target).is_ok(),
    }
}

#[actix_rt::test]
async fn what_is_handed_on_is_read_as_the_stream_would_have_been() {
    let config = ServiceConfig::default();
    for seed in 1..20_000 {
        let mut whole = stream(seed, "");
        let mut dice = Dice(seed << 20);
        if dice.below(3) == 0 {
            let place = dice.below(whole.len());
            whole[place] = b"\r\n :;x0\0\xff"[dice.below(9)];
        }
        let shown = || String::from_utf8_lossy(&whole).into_owned();
        let mut bytes = whole.clone();
        let Followed { ready, refusal } = Follower::default().follow(&mut bytes, &targets());
        // Bytes that are blanked where actix-http sees a body show in the comparison.
        let mut read = read_by_actix(&config, &bytes[..ready]);
        if refusal.is_some() {
            read.push("error".into());
        }
        assert_eq!(
            read,
            read_by_actix(&config, &whole),
            "seed {seed}, {refusal:?}: {}",
            shown()
        );
    }
}

#[test]
fn an_offer_is_blanked_in_heads_and_nowhere_else_in_whatever_pieces_it_comes() {
    for seed in 1..5_000 {
        let offered = stream(seed, "Connection: x, Upgrade\r\n");
        let blanked = stream(seed, "Connection: x, -------\r\n");
        let mut whole = offered.clone();
        let Followed { ready, .. } = Follower::default().follow(&mut whole, &targets());
        assert!(whole[..ready] == blanked[..ready], "seed {seed}");
        let (mut follower, mut dice) = (Follower::default(), Dice(seed << 20));
        let (mut held, mut read, mut rest) = (Vec::new(), Vec::new(), &offered[..]);
        while !rest.is_empty() {
            let (part, behind) = rest.split_at(1 + dice.below(rest.len().min(60)));
            rest = behind;
            held.extend_from_slice(part);
            let followed = follower.follow(&mut held, &targets());
            read.extend(held.drain(..followed.ready));
            if followed.refusal.is_some() {
                break;
            }
        }
        assert!(read == blanked[..ready], "seed {seed} in pieces");
    }
}
