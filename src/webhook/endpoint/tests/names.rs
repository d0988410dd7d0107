//! Names that do not resolve, beside one that does.

use std::sync::{Condvar, PoisonError};

use super::*;

/// Most lanes that an endpoint may have.
const LANES: usize = 64;

/// A resolver that knows `healthy.example` and hangs at every other name until it is let go or dropped.
#[derive(Default)]
struct Hanging(Arc<(Mutex<bool>, Condvar)>);

impl Hanging {
    /// Lookups by it, and the count of those that hang or hung.
    fn lookups(&self) -> (Lookups, Arc<AtomicUsize>) {
        let let_go = Arc::clone(&self.0);
        let count = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&count);
        let lookups = Lookups::by(move |name| {
            if name == "healthy.example" {
                return Ok(vec![IpAddr::from([127, 0, 0, 1])]);
            }
            counted.fetch_add(1, Ordering::SeqCst);
            let (is_let_go, changed) = &*let_go;
            let is_let_go = is_let_go.lock().expect("not poisoned");
            let _held = changed
                .wait_while(is_let_go, |is_let_go| !*is_let_go)
                .expect("not poisoned");
            Err(std::io::Error::other("nobody knows it"))
        });
        (lookups, count)
    }

    fn let_go(&self) {
        let (is_let_go, changed) = &*self.0;
        *is_let_go.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.let_go();
    }
}

#[actix_rt::test]
async fn twelve_endpoints_of_64_lanes_whose_names_hang_delay_no_other_endpoint() {
    let hanging = Hanging::default();
    let (lookups, count) = hanging.lookups();
    let start = |url: &str| Rig::looking_up_by(&lookups, Arc::clone(&count), url, Duration::from_secs(60));
    let ill: Vec<Rig> = (0..12)
        .map(|at| start(&format!("http://hangs-{at}.example/")))
        .collect();
    for rig in &ill {
        for _ in 0..LANES {
            rig.endpoint.do_send(Deliver(request(1)));
        }
    }
    while count.load(Ordering::SeqCst) < ill.len() {
        actix_rt::task::yield_now().await;
    }
    // It closes each connection, so that each request looks the name up.
    let (port, _requests) = receiver(&[OK; 10]);
    let healthy = start(&format!("http://healthy.example:{port}/"));
    for _ in 0..10 {
        let answer = healthy.deliver().await;
        assert_eq!(answer.outcome, Outcome::Delivered, "{answer:?}");
        assert!(answer.report.took_ms < 1_000, "{answer:?}");
    }
    hanging.let_go();
    for rig in &ill {
        for _ in 0..LANES {
            let answer = next(&rig.answers).await;
            let cause = answer.report.error.expect("a cause");
            assert_eq!(cause, "cannot resolve its host name: nobody knows it");
        }
    }
    assert_eq!(count.load(Ordering::SeqCst), ill.len(), "one lookup per name");
}

#[actix_rt::test]
async fn an_attempt_waits_for_a_lookup_no_longer_than_its_timeout() {
    let hanging = Hanging::default();
    let (lookups, count) = hanging.lookups();
    let url = "http://hangs.example/";
    let rig = Rig::looking_up_by(&lookups, count, url, Duration::from_millis(100));
    for _ in 0..3 {
        assert_eq!(rig.cause().await, "no connection within 100ms");
    }
    assert_eq!(
        rig.lookups.load(Ordering::SeqCst),
        1,
        "each waits for the one under way"
    );
    hanging.let_go();
}
