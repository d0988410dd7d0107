//! Where a chunked body ends.

/// The position in a chunked body. It accepts exactly what actix-http accepts: bytes on which the two
/// disagree could be a request to one of them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunks {
    /// The first digit of a size.
    #[default]
    Size,
    /// More digits, or their end.
    Digits(u64),
    /// Blanks behind the digits.
    Blanks(u64),
    /// An extension.
    Extension(u64),
    /// The end of the line of a size.
    SizeLf(u64),
    /// This many bytes of the chunk.
    Data(u64),
    DataCr,
    DataLf,
    /// The beginning of a line behind the last chunk.
    End,
    EndLf,
    Trailer,
    TrailerLf,
}

impl Chunks {
    /// Follows bytes. Gives how many of them belong to the body and, if it ends in them, whether it ends
    /// well.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> (usize, Option<bool>) {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if let Self::Data(left) = self {
                let part = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += part;
                *left -= part as u64;
                if *left == 0 {
                    *self = Self::DataCr;
                }
                continue;
            }
            at += 1;
            match self.next(*byte) {
                Some(next) => *self = next,
                None => return (at, Some(*self == Self::EndLf && *byte == b'\n')),
            }
        }
        (at, None)
    }

    /// The position after a byte; `None` at the end of the body, and when the byte is invalid here.
    fn next(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Size, byte) => Some(Self::Digits(digit(byte)?)),
            (Self::Digits(size) | Self::Blanks(size), b'\t' | b' ') => Some(Self::Blanks(size)),
            (Self::Digits(size) | Self::Blanks(size), b';') => Some(Self::Extension(size)),
            (Self::Digits(size) | Self::Blanks(size) | Self::Extension(size), b'\r') => Some(Self::SizeLf(size)),
            (Self::Digits(size), byte) => Some(Self::Digits(size.checked_mul(16)? + digit(byte)?)),
            (Self::Blanks(_), _) | (Self::Extension(_), 0x00..=0x08 | 0x0a..=0x1f | 0x7f) => None,
            (Self::Extension(size), _) => Some(Self::Extension(size)),
            (Self::SizeLf(0), b'\n') => Some(Self::End),
            (Self::SizeLf(size), b'\n') => Some(Self::Data(size)),
            (Self::DataCr, b'\r') => Some(Self::DataLf),
            (Self::DataLf, b'\n') => Some(Self::Size),
            (Self::End, b'\r') => Some(Self::EndLf),
            (Self::Trailer, b'\r') => Some(Self::TrailerLf),
            (Self::End | Self::Trailer, _) => Some(Self::Trailer),
            (Self::TrailerLf, b'\n') => Some(Self::End),
            (Self::Data(_) | Self::SizeLf(_) | Self::DataCr | Self::DataLf | Self::EndLf | Self::TrailerLf, _) => None,
        }
    }
}

fn digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}
