//! In which order those are woken whom a word concerns.

use super::*;

fn nine_who_have_read_all() -> Bench {
    let mut bench = Bench::new(9);
    (1..=9).for_each(|who| bench.join(who, "main"));
    (1..=9).for_each(|who| drop(bench.taken(who)));
    bench
}

#[test]
fn a_word_goes_around_the_room_from_a_place_behind_its_speaker() {
    for (speaker, woken) in [(3, [6, 7, 8, 9, 1, 2, 4, 5]), (9, [3, 4, 5, 6, 7, 8, 1, 2])] {
        let mut bench = nine_who_have_read_all();
        for _ in 0..2 {
            bench.woken.borrow_mut().clear();
            bench.send(speaker, "broadcast", &format!("U{speaker}"), "main", json!("a"));
            assert_eq!(*bench.woken.borrow(), woken);
            // In whichever order they look.
            [9, 2, 4, 1, 3, 8, 5, 7, 6].iter().for_each(|who| drop(bench.taken(*who)));
        }
    }
}

#[test]
fn who_has_waited_longest_is_woken_first_while_others_have_not_looked() {
    let mut bench = nine_who_have_read_all();
    bench.send(3, "broadcast", "U3", "main", json!("a"));
    [8, 6, 7].iter().for_each(|who| drop(bench.taken(*who)));
    bench.woken.borrow_mut().clear();
    bench.send(6, "broadcast", "U6", "main", json!("b"));
    assert_eq!(*bench.woken.borrow(), [3, 8, 7]);
}
