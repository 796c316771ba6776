//! Finding the word that somebody probably meant, and saying which words there are.

/// Longer words are nobody's typing error, and comparing them would cost time.
const LONGEST: usize = 64;

/// The candidate nearest to `word`, if any is near enough to be what was meant.
///
/// Case, `_` and `-` count for nothing; then one letter in three may be wrong, missing, added or
/// swapped with its neighbour; then a word of three letters or more may stand for the only
/// candidate that begins with it. Of several candidates equally near, the first wins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = plain(word);
    let letters = word.chars().count();
    if !(2..=LONGEST).contains(&letters) {
        return None;
    }
    let limit = (letters / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    let mut begun = Beginnings::None;
    for candidate in candidates {
        let known = plain(candidate);
        let other = known.chars().count();
        if letters >= 3 && known.starts_with(&word) {
            begun = begun.and(candidate);
        }
        if other > LONGEST || other.abs_diff(letters) > limit {
            continue;
        }
        let distance = strsim::damerau_levenshtein(&word, &known);
        // a word whose letters are all wrong is another word
        let near = distance <= limit && distance < letters.min(other);
        if (near || distance == 0) && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    match (best, begun) {
        (Some((_, candidate)), _) | (None, Beginnings::One(candidate)) => Some(candidate),
        _ => None,
    }
}

/// The candidates that begin with the word: which one, while it is only one.
enum Beginnings<'a> {
    None,
    One(&'a str),
    Several,
}

impl<'a> Beginnings<'a> {
    fn and(self, candidate: &'a str) -> Beginnings<'a> {
        match self {
            Beginnings::None => Beginnings::One(candidate),
            Beginnings::One(_) | Beginnings::Several => Beginnings::Several,
        }
    }
}

/// Lower case, with `-` for every way to part words.
fn plain(word: &str) -> String {
    word.chars()
        .map(|c| if c == '_' || c == ' ' { '-' } else { c })
        .flat_map(char::to_lowercase)
        .collect()
}

/// Words as a sentence lists them: `` `a`, `b` and 3 more``. At most `most` are named.
pub fn listing<'a>(words: impl IntoIterator<Item = &'a str>, most: usize) -> String {
    let mut out = String::new();
    let mut left = 0;
    for (n, word) in words.into_iter().enumerate() {
        if n >= most {
            left += 1;
            continue;
        }
        if n > 0 {
            out.push_str(", ");
        }
        out.push('`');
        out.push_str(word);
        out.push('`');
    }
    if left > 0 {
        out.push_str(&format!(" and {left} more"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_hand_find_their_word() {
        let keys = ["exposure", "targets", "name", "before", "after"];
        let near = |word: &str| nearest(word, keys);
        assert_eq!(near("expsure"), Some("exposure"));
        assert_eq!(near("Exposure"), Some("exposure"));
        assert_eq!(near("exopsure"), Some("exposure"));
        assert_eq!(near("nam"), Some("name"));
        assert_eq!(near("expo"), Some("exposure"));
        assert_eq!(near("bfore"), Some("before"));
        assert_eq!(
            nearest("at_deadline", ["deadline", "at-deadline"]),
            Some("at-deadline")
        );
    }

    #[test]
    fn other_words_find_none() {
        let near = |word: &str| nearest(word, ["http", "command", "ab", "no"]);
        assert_eq!(near("database"), None);
        assert_eq!(near(""), None);
        assert_eq!(near("x"), None);
        assert_eq!(near("xy"), None);
        assert_eq!(nearest("com", ["command", "commit"]), None);
        assert_eq!(nearest(&"a".repeat(1 << 20), ["aaaa"]), None);
    }

    #[test]
    fn of_equals_the_first_wins() {
        assert_eq!(nearest("bate", ["bake", "base"]), Some("bake"));
        assert_eq!(nearest("bake", ["base", "bake"]), Some("bake"));
    }

    #[test]
    fn listings_say_what_they_leave_out() {
        assert_eq!(listing(["a", "b"], 5), "`a`, `b`");
        assert_eq!(listing(["a", "b", "c", "d"], 2), "`a`, `b` and 2 more");
        assert_eq!(listing([], 2), "");
    }
}
