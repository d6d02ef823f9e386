//! The sentences of the contract that the laws cite, word for word. A test keeps the two in step.

macro_rules! sentences {
    ($($name:ident = $text:literal;)+) => {
        $(pub(super) const $name: &str = $text;)+

        #[cfg(test)]
        const ALL: &[&str] = &[$($name),+];
    };
}

sentences! {
    ABSENT = "Returns None when it is absent or its deadline has passed.";
    ATOMIC = "each command happens as one step. Of concurrent commands on one key, each finds what \
        the one before it left: of two replaces that expect the same version, exactly one is Done.";
    BYTES = "any bytes of any length up to the store's limit come back as they were.";
    CANCELLED = "a future that is dropped half-way leaves the old entry or the new one, whole.";
    CREATE = "Writes an entry where none is live.";
    CREATE_KEEPS = "Never overwrites a live entry: that is Created::Exists.";
    CREATE_OVER_EXPIRED = "An expired entry counts as absent.";
    DAMAGE = "an entry that the store cannot have written is Corrupt: not absent, not replaced. \
        Only delete removes it.";
    DELETE = "Removes the entry, readable or not.";
    DELETE_ABSENT = "Its absence is success.";
    FRESH = "every command sees what was acknowledged before it began, on whichever server it was.";
    LIMIT = "Over the limit is TooLarge, before anything is sent; nothing is cut.";
    LIVE = "an entry is live until its deadline. At and after it the entry is absent for every \
        command, even while its bytes are still there.";
    LOAD = "Reads the live entry.";
    REPLACE = "Writes over a live entry whose version is expected; data, version and deadline are \
        new.";
    REPLACE_CONFLICT = "With another version it changes nothing and answers with the entry that is \
        there";
    REPLACE_EARLIER = "The deadline may become earlier.";
    REPLACE_GONE = "Where no entry is live it is Replaced::Gone and creates none.";
    SHARED = "a store is a handle; all clones and all handles share the entries.";
    SILENT = "Debug shows nothing of the bytes of an entry.";
    TOUCH = "Moves the deadline of a live entry forwards, if its version is expected. Changes \
        neither data nor version.";
    TOUCH_GONE = "Touched::Gone where no entry is live.";
    TOUCH_SKIPS = "Touched::Skipped when the version is another or the deadline would not become \
        later";
    VERSIONS = "Versions never repeat: not after a delete, not for equal bytes, not after a \
        failover.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sentence_stands_in_the_contract() {
        let contract = plain(include_str!("../contract.rs"));
        for sentence in ALL {
            assert!(contract.contains(sentence), "not in the trait's documentation: {sentence:?}");
        }
    }

    /// Returns the documentation without comment signs, line breaks and markup.
    fn plain(source: &str) -> String {
        let lines = source.lines().filter_map(|line| line.trim_start().strip_prefix("///"));
        let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
        let mut text = words.join(" ");
        while let Some(link) = text.find("](") {
            let end = text[link..].find(')').map_or(text.len(), |length| link + length + 1);
            text.replace_range(link..end, "");
        }
        text.replace(['`', '*', '[', ']'], "")
    }
}
