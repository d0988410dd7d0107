//! One run of the workload, on a server of its own.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::rt;
use tokio::sync::mpsc::unbounded_channel;

use crate::{
    Failure,
    api::Api,
    audience::Audience,
    check::{Verdict, judge},
    cpu::Threads,
    farm::Farm,
    journal::Journal,
    publisher::Publisher,
    receiver::Receiver,
    server,
    viewers::look,
    workload::Workload,
};

/// How long what is started may take to be there.
const LEAD: Duration = Duration::from_millis(300);

/// When the farm publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Always,
    /// When the webhooks have said that somebody may be listening.
    WhenOccupied,
}

/// What was measured.
pub(crate) struct Outcome {
    /// When each API call was made, from the beginning of the workload on.
    pub(crate) calls: Vec<Duration>,
    /// Of the server's threads; unknown where the system does not count it.
    pub(crate) server_cpu: Option<Duration>,
    pub(crate) server_threads: usize,
    pub(crate) verdict: Verdict,
}

/// The threads that there are when what was just started has started its own.
async fn all_threads() -> Threads {
    tokio::time::sleep(LEAD).await;
    Threads::all()
}

/// Runs the workload.
pub(crate) async fn run(workload: &Workload, policy: Policy) -> Result<Outcome, Failure> {
    let is_told = policy == Policy::WhenOccupied;
    let audience = Arc::new(Audience::default());
    let (news, became_occupied) = unbounded_channel();
    let receiver = Receiver::start(Arc::clone(&audience), news.clone())?;

    // The server's threads are those that its start adds.
    let others = all_threads().await;
    let server = server::start(is_told.then_some(receiver.url.as_str()))?;
    let server_threads = all_threads().await.without(&others);

    let api = Rc::new(Api::new(server.address()));
    if is_told {
        // As a farm that starts, or starts again, does: webhooks come in meanwhile.
        for channel in audience.read_told_list(&api).await? {
            let _ = news.send(channel);
        }
    }
    let journal = Rc::new(Journal::new());
    let publisher = Publisher::start(&api, &journal);
    let listeners = is_told.then(|| Arc::clone(&audience));
    let farm = Rc::new(Farm::new(listeners, publisher, Rc::clone(&journal)));
    let catching_up = rt::spawn({
        let farm = Rc::clone(&farm);
        async move { farm.catch_up_all(became_occupied).await }
    });

    let begin = Instant::now() + LEAD;
    let viewers: Vec<_> = workload
        .looks
        .iter()
        .map(|planned| rt::spawn(look(*planned, begin, server.address(), Rc::clone(&journal))))
        .collect();
    farm.work(&workload.progress, begin).await;
    let mut visits = Vec::new();
    for viewer in viewers {
        visits.push(viewer.await??);
    }
    catching_up.abort();
    farm.finish().await?;
    let server_cpu = server_threads.cpu_time();
    server.stop().await?;
    receiver.stop().await;

    let calls = api.calls();
    Ok(Outcome {
        calls: calls.iter().map(|call| call.saturating_duration_since(begin)).collect(),
        server_cpu,
        server_threads: server_threads.count(),
        verdict: judge(&visits, &journal, &audience.heard()),
    })
}
