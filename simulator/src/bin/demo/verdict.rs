//! Whether everything ended as it should: expectations and what came instead.

/// All expectations so far.
#[derive(Default)]
pub(crate) struct Verdict {
    met: usize,
    missed: Vec<String>,
}

impl Verdict {
    /// Expects `found` to be `expected`.
    pub(crate) fn expect<T: PartialEq + std::fmt::Display>(&mut self, what: &str, found: T, expected: T) {
        if found == expected {
            self.met += 1;
        } else {
            self.missed.push(format!("{what}: expected {expected}, found {found}"));
        }
    }

    pub(crate) fn met(&self) -> usize {
        self.met
    }

    pub(crate) fn missed(&self) -> &[String] {
        &self.missed
    }

    pub(crate) fn all_met(&self) -> bool {
        self.missed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_missed_expectation_spoils_the_verdict() {
        let mut verdict = Verdict::default();
        verdict.expect("an answer", 202, 202);
        assert!(verdict.all_met());
        verdict.expect("an answer", "done", "held");
        assert!(!verdict.all_met());
        assert_eq!(verdict.missed(), ["an answer: expected held, found done"]);
        assert_eq!(verdict.met(), 1);
    }
}
