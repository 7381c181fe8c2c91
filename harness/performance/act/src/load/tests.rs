use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rstest::rstest;
use stagegate_performance_decide::Arm;

use super::*;
use stagegate_host::http::Request;

const MS: Duration = Duration::from_millis(1);

/// Serves HTTP on threads, a thread a connection; `answer` writes the response to one request and may close.
fn server(response: impl Fn(&mut TcpStream, u32) -> bool + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (response, number) = (Arc::new(response), Arc::new(AtomicU32::new(0)));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (response, number, mut stream) = (Arc::clone(&response), Arc::clone(&number), stream.unwrap());
            thread::spawn(move || {
                stream.set_nodelay(true).unwrap();
                let (mut tail, mut byte) = (Vec::new(), [0; 1024]);
                while let Ok(read @ 1..) = stream.read(&mut byte) {
                    tail.extend_from_slice(&byte[..read]);
                    if tail.ends_with(b"\r\n\r\n") {
                        tail.clear();
                        if !response(&mut stream, number.fetch_add(1, Ordering::Relaxed)) {
                            return;
                        }
                    }
                }
            });
        }
    });
    address
}

fn says(stream: &mut TcpStream, status: u16, body: &str) -> bool {
    write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len()).is_ok()
}

fn ask(address: SocketAddr) -> Subject {
    Subject::Http(Call::new(&Aim::at_loopback(address).unwrap(), &Request::get("/x"), None))
}

fn closed_loop(clients: usize, requests: u64) -> Load {
    Load { pace: Pace::Concurrency(clients), extent: Extent::Requests(requests), timeout: Duration::from_secs(5) }
}

fn open_loop(per_second: f64, time: Duration) -> Load {
    let pace = Pace::Rate { per_second, connections: 16 };
    Load { pace, extent: Extent::For(time), timeout: Duration::from_secs(5) }
}

/// A server that responds at once, but keeps the first one who comes behind the moment at `after` waiting for 200 ms, and
/// all who come meanwhile for as long. Where the machine is busy that first one may come late; he waits no less.
fn stalling(after: Duration) -> (SocketAddr, Arc<AtomicBool>) {
    let (stalled, moments) = (Arc::new(AtomicBool::new(false)), [(); 2].map(|()| std::sync::OnceLock::new()));
    let fired = Arc::clone(&stalled);
    let address = server(move |stream, _| {
        let begun: Instant = *moments[0].get_or_init(Instant::now);
        if begun.elapsed() >= after {
            let over: Instant = *moments[1].get_or_init(|| Instant::now() + 200 * MS);
            stalled.store(true, Ordering::Relaxed);
            thread::sleep(over.saturating_duration_since(Instant::now()));
        }
        says(stream, 200, "ok")
    });
    (address, fired)
}

#[tokio::test]
async fn an_open_loop_sees_a_stall_in_its_percentiles_and_a_closed_loop_does_not() {
    let (address, fired) = stalling(300 * MS);
    let open = run(&ask(address), open_loop(500.0, Duration::from_secs(1)), 1).await.unwrap();
    assert!(fired.load(Ordering::Relaxed), "the server did not stall");
    assert_eq!((open.sent, open.faults.len()), (500, 0));
    // 100 of 500 requests were due within the stall; the one at its middle waited for half of it.
    let seen = open.summary();
    assert!(seen.p99 >= 180_000_000, "{seen:?}");
    assert!(seen.p90 >= 70_000_000, "{seen:?}");

    let (address, fired) = stalling(300 * MS);
    let load = Load { extent: Extent::For(Duration::from_secs(1)), ..closed_loop(1, 0) };
    let closed = run(&ask(address), load, 1).await.unwrap();
    assert!(fired.load(Ordering::Relaxed), "the server did not stall");
    let unseen = closed.summary();
    assert!(unseen.max >= 180_000_000, "{unseen:?}");
    assert!(unseen.p90 < 70_000_000, "{unseen:?}");
    assert!(unseen.count > 100, "{unseen:?}");
}

#[tokio::test]
async fn requests_that_wait_for_a_busy_connection_count_from_their_intended_start() {
    let address = server(|stream, _| {
        thread::sleep(20 * MS);
        says(stream, 200, "ok")
    });
    // 100 a second over one connection that manages 50 at most: the queue grows to half of the requests.
    let pace = Pace::Rate { per_second: 100.0, connections: 1 };
    let load = Load { pace, extent: Extent::Requests(50), timeout: Duration::from_secs(5) };
    let measured = run(&ask(address), load, 1).await.unwrap();
    assert!(measured.summary().max >= 400_000_000, "{:?}", measured.summary());
    assert!(measured.queued >= 40, "{}", measured.queued);
    assert!(measured.took >= 900 * MS, "{:?}", measured.took);
    // That is the service's fault: the generator handed all out in time.
    assert!(measured.rate() > 80.0, "{}", measured.rate());
}

#[tokio::test]
async fn a_rate_is_kept_and_no_intended_time_is_left_out() {
    let address = server(|stream, _| says(stream, 200, "ok"));
    let measured = run(&ask(address), open_loop(1000.0, 500 * MS), 2).await.unwrap();
    assert_eq!(measured.sent, 500);
    assert_eq!(measured.samples().len(), 500);
    assert_eq!(measured.lag.len(), 500);
}

#[tokio::test]
async fn a_closed_loop_sends_exactly_so_many_requests_from_all_its_threads() {
    let address = server(|stream, _| says(stream, 200, "hello"));
    let measured = run(&ask(address), closed_loop(5, 203), 3).await.unwrap();
    assert_eq!((measured.sent, measured.bytes, measured.sizes), (203, 203 * 5, Some((5, 5))));
    assert!(!measured.latencies.is_empty() && measured.lag.is_empty());
}

#[rstest]
#[case::error("HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", Fault::Status(503))]
#[case::no_http("SSH-2.0-OpenSSH_9.2\r\n", Fault::Malformed)]
#[case::too_much("HTTP/1.1 200 X\r\nContent-Length: 1\r\n\r\nabc", Fault::Malformed)]
#[tokio::test]
async fn a_bad_response_is_counted_by_its_kind(#[case] answer: &'static str, #[case] fault: Fault) {
    let address = server(move |stream, _| stream.write_all(answer.as_bytes()).is_ok());
    let measured = run(&ask(address), closed_loop(2, 6), 1).await.unwrap();
    assert!(measured.latencies.is_empty());
    assert_eq!(measured.faults.into_iter().collect::<Vec<_>>(), [(fault, 6)]);
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_a_counted_refusal_and_no_latency() {
    let down = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let measured = run(&ask(down), closed_loop(2, 6), 1).await.unwrap();
    assert_eq!(measured.errors(), [("connection refused".to_owned(), 6)].into());
    assert_eq!(measured.summary(), Default::default());
}

#[tokio::test]
async fn a_response_that_is_cut_off_is_an_error_and_the_next_one_has_a_new_connection() {
    let address = server(|stream, number| {
        if number % 2 == 0 {
            let _ = stream.write_all(b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\nabc");
            return false;
        }
        says(stream, 200, "ok")
    });
    let measured = run(&ask(address), closed_loop(1, 6), 1).await.unwrap();
    assert_eq!(measured.faults.into_iter().collect::<Vec<_>>(), [(Fault::Closed, 3)]);
    assert_eq!(measured.latencies.len(), 3);
}

#[tokio::test]
async fn a_kept_connection_that_the_service_closes_is_opened_anew_without_an_error() {
    // Closes after each response without saying so, as a server does whose connections may idle for so long.
    let address = server(|stream, _| {
        says(stream, 200, "ok");
        false
    });
    let measured = run(&ask(address), closed_loop(1, 5), 1).await.unwrap();
    assert_eq!((measured.latencies.len(), measured.faults.len()), (5, 0));
}

#[tokio::test]
async fn a_request_without_a_response_is_a_timeout_and_no_latency() {
    let address = server(|stream, number| if number == 1 { true } else { says(stream, 200, "ok") });
    let load = Load { timeout: 150 * MS, ..closed_loop(1, 3) };
    let measured = run(&ask(address), load, 1).await.unwrap();
    assert_eq!((measured.timeouts(), measured.errors().len(), measured.latencies.len()), (1, 0, 2));
}

#[tokio::test]
async fn a_body_in_chunks_and_interim_responses_are_read_to_their_end() {
    let address = server(|stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n");
        stream.write_all(b"\r\n3\r\nabc\r\n0\r\n\r\n").is_ok()
    });
    let measured = run(&ask(address), closed_loop(1, 4), 1).await.unwrap();
    assert_eq!((measured.bytes, measured.faults.len()), (12, 0));
}

#[tokio::test]
async fn a_changed_size_of_the_response_is_a_fact_of_the_block() {
    let address = server(|stream, number| says(stream, 200, if number == 3 { "something else" } else { "ok" }));
    let measured = run(&ask(address), closed_loop(1, 6), 1).await.unwrap();
    assert_eq!(measured.sizes, Some((2, 14)));
}

#[tokio::test]
async fn blocks_take_turns_on_kept_connections() {
    let fast = server(|stream, _| says(stream, 200, "fast"));
    let slow = server(|stream, _| {
        thread::sleep(2 * MS);
        says(stream, 200, "slow")
    });
    let reference = Reference::start().unwrap();
    let arms = vec![(Arm::Candidate, ask(slow)), (Arm::Control, ask(fast)), (Arm::Reference, reference.subject())];
    let mut blocks =
        Blocks::start(Turns { arms, block: closed_loop(1, 20), warm_up: 10 * MS, settling: 5 }).await.unwrap();
    let mut all = Vec::new();
    for _ in 0..3 {
        all.extend(blocks.rotation().await.unwrap());
    }
    assert_eq!(all.len(), 9);
    assert!(all.windows(2).all(|pair| pair[0].started_us + pair[0].took_us <= pair[1].started_us), "one at a time");
    assert!(all.iter().all(|block| block.failed() == 0 && block.sent == 20 && block.samples_ns.len() == 20));
    let first: Vec<Arm> = all.iter().step_by(3).map(|block| block.arm).collect();
    assert_eq!(first, [Arm::Candidate, Arm::Control, Arm::Reference]);
    for rotation in all.chunks(3) {
        let p50 = |arm| rotation.iter().find(|block| block.arm == arm).unwrap().latencies.p50;
        assert!(p50(Arm::Candidate) > p50(Arm::Control) + 1_000_000);
    }
}

#[test]
fn load_goes_only_to_the_loopback_and_to_the_environment() {
    assert_eq!(Aim::at_loopback("192.0.2.1:80".parse().unwrap()), None);
    let down = Aim::at_service(&[], "api", 80).unwrap_err();
    assert!(down.to_string().contains("`api` has no running container"), "{down}");
}
