use super::*;
use proptest::prelude::*;

fn decode(bytes: &[u8]) -> Vec<Heard> {
    let mut decoder = Decoder::default();
    let mut heard = Vec::new();
    decoder.feed(bytes, &mut heard);
    if decoder.patience().is_some() {
        decoder.lapse(&mut heard);
    }
    heard
}

/// What was heard, as words.
fn words(bytes: &[u8]) -> String {
    let all: Vec<String> = decode(bytes)
        .iter()
        .map(|one| match one {
            Heard::Input(Input::Key(key)) => key.to_string(),
            Heard::Input(other) => format!("{other:?}"),
            Heard::Kitty => "kitty".into(),
        })
        .collect();
    all.join(" ")
}

#[test]
fn keys_of_every_kind() {
    for (bytes, keys) in [
        (&b"jjG"[..], "j j G"),
        (b"\x1b", "esc"),
        (b"\x1b\x1b", "esc esc"),
        (b"\r\t\x7f\x08", "enter tab backspace backspace"),
        (b"\x04\x00\x1c", "ctrl-d ctrl-space ctrl-4"),
        (b"\x1bx\x1bX\x1b\r", "alt-x alt-X alt-enter"),
        (b"\x1b[A\x1bOB\x1b[1;5C", "up down ctrl-right"),
        (
            b"\x1b[Z\x1b[5~\x1b[3~\x1b[H",
            "shift-tab pageup delete home",
        ),
        (b"\x1bOP\x1b[15~\x1b[[A\x1b[24~", "F1 F5 F1 F12"),
        ("ü日🚀".as_bytes(), "ü 日 🚀"),
        (
            b"\x1b[27u\x1b[99;5u\x1b[97;2u\x1b[13;2u",
            "esc ctrl-c A shift-enter",
        ),
        (b"\x1b[97;1:3u\x1b[97;9u", ""),
        (b"\x1b[", "alt-["),
        (b"\x1b]", "alt-]"),
        (b"\x1bO", "alt-O"),
    ] {
        assert_eq!(words(bytes), keys, "{}", bytes.escape_ascii());
    }
}

#[test]
fn answers_of_the_terminal_are_no_keys() {
    for (bytes, heard) in [
        (&b"\x1b[1;1Rj"[..], "j"),
        (b"\x1b[?62;22c\x1b[>1;10;0cj", "j"),
        (b"\x1b[?1u", "kitty"),
        (b"\x1b[?2026;2$yj", "j"),
        (b"\x1b[I\x1b[Oj", "j"),
        (b"\x1b]11;rgb:1c1c/1c1c/1c1c\x1b\\j", "Background(Dark) j"),
        (b"\x1b]11;rgb:ff/ff/f0\x07j", "Background(Light) j"),
        (b"\x1b]10;rgb:ff/ff/ff\x07\x1b]11;nonsense\x07j", "j"),
        (b"\x1b]11;rgb:00/00/00\x1b[A", "Background(Dark) up"),
        (b"\x1b[M !!j", "j"),
        (b"\x1b[35;1;1Mj", "j"),
        (b"\x1b[999;999;999zj", "j"),
        (b"\x1b[12\x1b[Aj", "up j"),
    ] {
        assert_eq!(words(bytes), heard, "{}", bytes.escape_ascii());
    }
}

#[test]
fn mouse_reports() {
    let mouse = |kind, x, y| vec![Heard::Input(Input::Mouse(Mouse { kind, x, y }))];
    assert_eq!(decode(b"\x1b[<0;5;3M"), mouse(MouseKind::Press, 4, 2));
    assert_eq!(decode(b"\x1b[<0;5;3m"), mouse(MouseKind::Release, 4, 2));
    assert_eq!(
        decode(b"\x1b[<32;500;300M"),
        mouse(MouseKind::Drag, 499, 299)
    );
    assert_eq!(decode(b"\x1b[<81;1;1M"), mouse(MouseKind::ScrollDown, 0, 0));
    // coordinates count from one; a zero must not bring anything down
    for odd in [
        &b"\x1b[<0;0;0M"[..],
        b"\x1b[<2;5;3M",
        b"\x1b[<0;99999;1M",
        b"\x1b[<;;M",
        b"\x1b[<0;1M",
    ] {
        assert_eq!(decode(odd), [], "{}", odd.escape_ascii());
    }
}

#[test]
fn a_paste_is_one_input_whatever_it_holds() {
    let paste = |text: &str| vec![Heard::Input(Input::Paste(text.into()))];
    assert_eq!(
        decode(b"\x1b[200~one\rtwo\x1b[31m\x1b[201~"),
        paste("one\rtwo\x1b[31m")
    );
    assert_eq!(decode(b"\x1b[200~a\x1b\x1b[201~"), paste("a\x1b"));
    // its end never comes
    assert_eq!(decode(b"\x1b[200~abc"), paste("abc"));
    let mut long = b"\x1b[200~".to_vec();
    long.resize(PASTE * 2, b'x');
    long.extend_from_slice(b"\x1b[201~j");
    let heard = decode(&long);
    assert!(matches!(&heard[0], Heard::Input(Input::Paste(text)) if text.len() == PASTE));
    assert_eq!(heard.len(), 2);
}

#[test]
fn an_escape_waits_shorter_than_the_rest() {
    let mut decoder = Decoder::default();
    let mut heard = Vec::new();
    assert_eq!(decoder.patience(), None);
    decoder.feed(b"\x1b", &mut heard);
    assert_eq!(decoder.patience(), Some(ESC));
    decoder.feed(b"[1", &mut heard);
    assert_eq!(decoder.patience(), Some(UNFINISHED));
    decoder.lapse(&mut heard);
    assert_eq!((decoder.patience(), heard), (None, vec![]));
}

/// Bytes that look like what terminals send, cut and mixed.
fn traffic() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\x1b".to_vec()),
        Just(b"\x1b[".to_vec()),
        Just(b"\x1b[<".to_vec()),
        Just(b"\x1b]11;rgb:00/00/00\x07".to_vec()),
        Just(b"\x1b[200~".to_vec()),
        Just(b"\x1b[201~".to_vec()),
        Just(b"\x1b[1;5A".to_vec()),
        Just(b"\x1b[<0;3;4M".to_vec()),
        Just(b"\x1b[?1u".to_vec()),
        Just("日ü".as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..12),
        prop::collection::vec(
            prop::sample::select(&b"0123456789;:~uMmRAj\x1b[]O"[..]),
            0..12
        ),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn it_does_not_matter_where_bytes_are_cut(bytes in traffic(), cuts in prop::collection::vec(0usize..200, 0..8)) {
        let whole = decode(&bytes);
        let mut decoder = Decoder::default();
        let mut heard = Vec::new();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
        cuts.sort_unstable();
        let mut from = 0;
        for cut in cuts.into_iter().chain([bytes.len()]) {
            decoder.feed(&bytes[from..cut], &mut heard);
            from = cut;
        }
        if decoder.patience().is_some() {
            decoder.lapse(&mut heard);
        }
        prop_assert_eq!(whole, heard);
    }

    #[test]
    fn garbage_never_brings_it_down_nor_fills_memory(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        let mut decoder = Decoder::default();
        let mut heard = Vec::new();
        for chunk in bytes.chunks(97) {
            decoder.feed(chunk, &mut heard);
            prop_assert!(decoder.bytes.capacity() <= 2 * PASTE);
            if decoder.state != State::Paste {
                prop_assert!(decoder.bytes.len() <= SEQUENCE);
            }
        }
        // afterwards a key is a key again
        while decoder.patience().is_some() {
            decoder.lapse(&mut heard);
        }
        heard.clear();
        decoder.feed(b"j", &mut heard);
        prop_assert_eq!(heard, vec![Heard::Input(Input::Key("j".parse().unwrap()))]);
    }
}
