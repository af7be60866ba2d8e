//! From when to when a certificate is good: two fields of its DER (RFC 5280, 4.1.2.5). All that is
//! read lies at fixed places, so a parser of certificates is not needed for it.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The first and the last moment of a certificate; nothing if it is not formed as it should be.
pub(super) fn validity(der: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let certificate = Der(der).expect(SEQUENCE)?;
    let mut fields = Der(Der(certificate).expect(SEQUENCE)?);
    if fields.0.first() == Some(&VERSION) {
        fields.expect(VERSION)?;
    }
    fields.expect(INTEGER)?; // serial number
    fields.expect(SEQUENCE)?; // signature algorithm
    fields.expect(SEQUENCE)?; // issuer
    let mut times = Der(fields.expect(SEQUENCE)?);
    Some((time(times.next()?)?, time(times.next()?)?))
}

/// `YYMMDDHHMMSSZ`, from 1950 on, or `YYYYMMDDHHMMSSZ`.
fn time((tag, value): (u8, &[u8])) -> Option<Timestamp> {
    let text = std::str::from_utf8(value).ok()?;
    let whole = match tag {
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let moment = DateTime::strptime("%Y%m%d%H%M%SZ", &whole).ok()?;
    TimeZone::UTC.to_timestamp(moment).ok()
}

/// Elements, one after the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next element's tag and value.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // Certificates are shorter than what three bytes can say.
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, value))
    }

    /// The value of the next element, which must have this tag.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dates_of_certificates_are_read_in_both_forms() {
        for (from, until) in [(1999, 2049), (2026, 2050), (2050, 2999)] {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut about = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
            about.not_before = rcgen::date_time_ymd(from, 2, 3);
            about.not_after = rcgen::date_time_ymd(until, 12, 31);
            let certificate = about.self_signed(&key).unwrap();
            let (begin, end) = validity(certificate.der()).unwrap();
            assert_eq!(begin.to_string(), format!("{from}-02-03T00:00:00Z"));
            assert_eq!(end.to_string(), format!("{until}-12-31T00:00:00Z"));
        }
    }

    #[test]
    fn what_is_cut_off_or_mangled_has_no_dates_and_does_no_harm() {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap().self_signed(&key).unwrap();
        let der = certificate.der().to_vec();
        for length in 0..der.len() {
            assert_eq!(validity(&der[..length]), None);
        }
        for at in 0..der.len().min(200) {
            for byte in [0, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                let mut mangled = der.clone();
                mangled[at] = byte;
                let _ = validity(&mangled);
            }
        }
    }
}
