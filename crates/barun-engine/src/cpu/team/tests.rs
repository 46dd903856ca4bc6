use super::*;
use std::sync::atomic::AtomicUsize;

/// Every member adds its share between barriers; nobody may see another round's numbers.
fn rounds(team: &Team, rounds: usize) {
    let slots: Vec<AtomicUsize> = (0..team.threads()).map(|_| AtomicUsize::new(0)).collect();
    team.run(&|member| {
        assert_eq!(member.threads, slots.len());
        for round in 1..=rounds {
            slots[member.index].store(round, Ordering::Relaxed);
            member.barrier();
            for slot in &slots {
                assert_eq!(slot.load(Ordering::Relaxed), round);
            }
            member.barrier();
        }
    });
}

#[test]
fn a_barrier_separates_rounds_for_one_to_eight_members() {
    for threads in 1..=8 {
        rounds(&Team::new(threads), 2_000);
    }
}

#[test]
fn a_hundred_thousand_short_rounds() {
    rounds(&Team::new(2), 50_000);
}

#[test]
fn many_short_runs_each_enter_every_member_once() {
    let team = Team::new(3);
    let entered: Vec<AtomicUsize> = (0..3).map(|_| AtomicUsize::new(0)).collect();
    for _ in 0..20_000 {
        team.run(&|member| {
            entered[member.index].fetch_add(1, Ordering::Relaxed);
            member.barrier();
        });
    }
    assert!(entered.iter().all(|count| count.load(Ordering::Relaxed) == 20_000));
}

#[test]
fn a_run_ends_without_members_that_come_too_late_and_takes_none_twice() {
    let team = Team::new(4);
    for _ in 0..20_000 {
        let entered: Vec<AtomicUsize> = (0..4).map(|_| AtomicUsize::new(0)).collect();
        team.run(&|member| {
            entered[member.index].fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(entered[0].load(Ordering::Relaxed), 1);
        assert!(entered.iter().all(|count| count.load(Ordering::Relaxed) <= 1));
    }
}

#[test]
fn workers_without_work_go_and_come_back_when_the_board_moves_on() {
    let team = Team::new(3);
    let (came, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
    team.run_steps(&|member| {
        let board = member.board().unwrap();
        if member.index > 0 {
            came.fetch_add(1, Ordering::SeqCst);
            // The first step is the caller's, and it takes its time.
            if !member.stays_until(|| board.step() == 1) {
                return Attendance::AwayAt(0);
            }
        } else {
            let claim = board.claim();
            let inside = || team.shared.door.load(Ordering::SeqCst) & INSIDE;
            while came.load(Ordering::SeqCst) < 2 || inside() > 0 {
                std::thread::yield_now();
            }
            board.open(claim.step + 1);
            member.wake();
        }
        taken.fetch_add(1, Ordering::SeqCst);
        member.barrier();
        assert_eq!(taken.load(Ordering::SeqCst), 3);
        Attendance::Done
    });
    assert_eq!(came.into_inner(), 4, "both workers came, went, and came back");
}

#[test]
fn sleepers_wake_at_the_barrier_and_at_the_next_run() {
    let team = Team::new(4);
    let late = AtomicUsize::new(0);
    for slow in 0..4 {
        team.run(&|member| {
            if member.index == slow {
                std::thread::sleep(Duration::from_millis(5));
                late.fetch_add(1, Ordering::Relaxed);
            }
            member.barrier();
            assert_eq!(late.load(Ordering::Relaxed), slow + 1);
        });
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_panic_reaches_the_caller_and_the_team_works_on() {
    let outcomes: Vec<_> = (0..4)
        .map(|bad| {
            let team = Team::new(4);
            let after = AtomicUsize::new(0);
            let result = catch_unwind(AssertUnwindSafe(|| {
                team.run(&|member| {
                    member.barrier();
                    if member.index == bad {
                        // As `panic!`, without the message on stderr.
                        resume_unwind(Box::new(format!("member {bad} fell")));
                    }
                    member.barrier();
                    after.fetch_add(1, Ordering::Relaxed);
                });
            }));
            rounds(&team, 100);
            let message = result.err().and_then(|panic| panic.downcast_ref::<String>().cloned());
            (message, after.into_inner())
        })
        .collect();
    for (bad, (message, after)) in outcomes.into_iter().enumerate() {
        assert_eq!(message, Some(format!("member {bad} fell")));
        assert_eq!(after, 0, "nobody may pass a barrier that a member never reached");
    }
}

#[test]
fn callers_take_turns() {
    let team = Team::new(2);
    let (busy, total) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    team.run(&|member| {
                        busy.fetch_add(1, Ordering::SeqCst);
                        member.barrier();
                        assert_eq!(busy.load(Ordering::SeqCst), 2);
                        member.barrier();
                        busy.fetch_sub(1, Ordering::SeqCst);
                        total.fetch_add(1, Ordering::SeqCst);
                    });
                }
            });
        }
    });
    assert_eq!(total.into_inner(), 4 * 500 * 2);
}

#[test]
fn a_run_inside_a_run_has_one_member() {
    let (team, other) = (Team::new(3), Team::new(2));
    let inner = AtomicUsize::new(0);
    team.run(&|member| {
        member.barrier();
        for nested in [&team, &other] {
            nested.run(&|member| {
                assert_eq!((member.index, member.threads), (0, 1));
                member.barrier();
                inner.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    assert_eq!(inner.into_inner(), 6);
    other.run(&|member| assert_eq!(member.threads, 2));
}

#[test]
fn workers_stop_when_the_team_is_dropped() {
    let alive = Arc::new(());
    for _ in 0..50 {
        let team = Team::new(4);
        let held = Arc::clone(&alive);
        team.run(&move |_| assert!(Arc::strong_count(&held) >= 2));
    }
    for _ in 0..50 {
        drop(Team::new(4));
    }
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn the_number_of_threads_comes_from_option_environment_machine() {
    assert_eq!(choose_threads(Some(3), Some("5")), Ok(3));
    assert_eq!(choose_threads(None, Some(" 5 ")), Ok(5));
    assert!(choose_threads(None, None).unwrap() >= 1);
    assert_eq!(choose_threads(None, Some("")), choose_threads(None, None));
    for word in ["many", "0", "-1", "2.5", "1000000"] {
        let message = choose_threads(None, Some(word)).unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("the environment variable BARUN_THREADS is `{word}`")),
            "{message}"
        );
    }
    assert!(choose_threads(Some(0), None).is_err());
}
