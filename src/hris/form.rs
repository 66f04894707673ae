//! Strict `application/x-www-form-urlencoded`: one flat object of strings, no key twice, no NUL, no second spelling.
//! Which of its members matter is left to the profile.

use serde_json::{Map, Value};

use super::json::ReadError;

/// Members of a form; the longest known delivery has four.
const MEMBERS_MAX: usize = 256;

/// Reads the form that a body must be.
pub(super) fn parse(body: &[u8]) -> Result<Value, ReadError> {
    let mut members = Map::new();
    for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        if members.len() == MEMBERS_MAX {
            return Err(ReadError::TooLarge);
        }
        let at = pair.iter().position(|byte| *byte == b'=').ok_or(ReadError::NotForm)?;
        let (name, value) = (decode(&pair[..at])?, decode(&pair[at + 1..])?);
        if name.is_empty() {
            return Err(ReadError::NotForm);
        }
        if members.insert(name, Value::String(value)).is_some() {
            return Err(ReadError::DuplicateMember);
        }
    }
    if members.is_empty() {
        return Err(ReadError::NotForm);
    }
    Ok(Value::Object(members))
}

/// A plus is a space, a percent sign is followed by two hexadecimal digits, and what comes out is UTF-8.
fn decode(text: &[u8]) -> Result<String, ReadError> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        decoded.push(match first {
            b'+' => b' ',
            b'%' => {
                let digits = after.get(..2).ok_or(ReadError::NotForm)?;
                rest = &after[2..];
                let mut byte = [0];
                hex::decode_to_slice(digits, &mut byte).map_err(|_| ReadError::NotForm)?;
                byte[0]
            }
            0 => return Err(ReadError::Nul),
            // A line break at the end of a body would become part of the last value.
            byte if byte.is_ascii_control() => return Err(ReadError::NotForm),
            byte => *byte,
        });
    }
    let text = String::from_utf8(decoded).map_err(|_| ReadError::NotUtf8)?;
    if text.contains('\0') { Err(ReadError::Nul) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_form_is_one_flat_object_of_strings() {
        let body = b"event_name=employee.terminated&id=6569&mail=ceo%40acme.example&name=Zo%C3%AB+M%c3%BCller&none=&a%5Bb%5D=1=2&";
        let expected = json!({
            "event_name": "employee.terminated", "id": "6569", "mail": "ceo@acme.example", "name": "Zoë Müller",
            "none": "", "a[b]": "1=2",
        });
        assert_eq!(parse(body), Ok(expected));
    }

    #[test]
    fn every_ambiguity_is_refused_with_its_cause() {
        let cases: [(&[u8], ReadError); 16] = [
            (b"", ReadError::NotForm),
            (b"&", ReadError::NotForm),
            (b"a", ReadError::NotForm),
            (b"=1", ReadError::NotForm),
            (b"a=1\n", ReadError::NotForm),
            (b"{\"a\":1}", ReadError::NotForm),
            (b"a=%", ReadError::NotForm),
            (b"a=%4", ReadError::NotForm),
            (b"a=%zz", ReadError::NotForm),
            (b"a=%+1", ReadError::NotForm),
            (b"a=1&a=2", ReadError::DuplicateMember),
            (b"a=1&%61=2", ReadError::DuplicateMember),
            (b"a=%00", ReadError::Nul),
            (b"a=\0", ReadError::Nul),
            (b"a=%ff", ReadError::NotUtf8),
            (b"a=\xff", ReadError::NotUtf8),
        ];
        for (body, cause) in cases {
            assert_eq!(parse(body), Err(cause), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn the_largest_form_is_read_and_one_member_more_is_not() {
        let form = |members: usize| {
            (0..members).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join("&").into_bytes()
        };
        assert!(parse(&form(MEMBERS_MAX)).is_ok());
        assert_eq!(parse(&form(MEMBERS_MAX + 1)), Err(ReadError::TooLarge));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(parse(&body));
        }
    }
}
