//! Decoding of what a URL or a form carries; meaning is left to the callers.

/// Decodes percent escapes; an escape that is none stays as it is.
pub(crate) fn decode_percent(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        let escape = (first == b'%').then(|| tail.get(..2)).flatten();
        let value = escape.and_then(|pair| hex::decode(pair).ok()).and_then(|value| value.first().copied());
        decoded.push(value.unwrap_or(first));
        rest = if value.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Splits a query or a form body into decoded pairs, in their order.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode_form(name), decode_form(value))
        })
        .collect()
}

fn decode_form(text: &str) -> String {
    decode_percent(&text.replace('+', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_plus_signs_are_decoded_and_broken_escapes_kept() {
        assert_eq!(decode_percent("a%2Fb%zz%"), "a/b%zz%");
        assert_eq!(
            pairs("a=1+2&b&c=%C3%A9"),
            [
                ("a".to_owned(), "1 2".to_owned()),
                ("b".to_owned(), String::new()),
                ("c".to_owned(), "é".to_owned())
            ]
        );
    }
}
