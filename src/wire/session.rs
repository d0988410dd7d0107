//! TLS with one client, without its socket: records come in, records go out.
//!
//! rustls's unbuffered interface is used, because it owns no buffers: a connection that waits has
//! none at all, where the buffered one keeps 4 KB for reading.

use std::sync::Arc;

use bytes::{Buf, BytesMut};
use rustls::{
    ServerConfig,
    server::{ServerConnectionData, UnbufferedServerConnection},
    unbuffered::{
        ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError, UnbufferedStatus,
        WriteTraffic,
    },
};

/// Most bytes that may wait for the rest of a handshake message: more than one may have.
const PARTIAL_HANDSHAKE_MAX: usize = 96 * 1_024;
/// Most bytes that may wait after the handshake: more than a record may have.
const PARTIAL_BYTES_MAX: usize = 17 * 1_024;
/// More than the bytes of a record that says that nothing follows.
const CLOSE_NOTIFY_BYTES_MAX: usize = 64;

/// Why TLS cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// The client broke the protocol, or nothing was agreed on.
    #[error("{0}")]
    Tls(#[from] rustls::Error),
    /// What the client sends ends no record.
    #[error("a record or a handshake message is too long")]
    TooLong,
    /// Bytes were to be sent outside of what the protocol allows.
    #[error("nothing can be sent in this state")]
    NotReady,
    /// The keys of TLS 1.2, which cannot be renewed, are used up.
    #[error("the keys are used up")]
    Exhausted,
}

/// The state of TLS with one client.
pub(super) struct Session {
    rustls: UnbufferedServerConnection,
    /// What came of a record that is not whole.
    partial: BytesMut,
    plain: BytesMut,
    outgoing: BytesMut,
    is_established: bool,
    is_peer_closed: bool,
    is_closed: bool,
    /// It broke, and rustls is not asked again.
    is_broken: bool,
}

impl Session {
    /// Begins with the first byte of a client.
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Self, SessionError> {
        Ok(Self {
            rustls: UnbufferedServerConnection::new(config)?,
            partial: BytesMut::new(),
            plain: BytesMut::new(),
            outgoing: BytesMut::new(),
            is_established: false,
            is_peer_closed: false,
            is_closed: false,
            is_broken: false,
        })
    }

    /// Whether the handshake is over.
    pub(super) const fn is_established(&self) -> bool {
        self.is_established
    }

    /// Whether the client has said that nothing follows.
    pub(super) const fn is_peer_closed(&self) -> bool {
        self.is_peer_closed
    }

    /// What came before and must stand in front of what comes next, for [`receive`](Self::receive).
    pub(super) fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// What was deciphered and is not taken yet.
    pub(super) const fn plain(&mut self) -> &mut BytesMut {
        &mut self.plain
    }

    /// Records that are to be written before any other bytes.
    pub(super) const fn outgoing(&mut self) -> &mut BytesMut {
        &mut self.outgoing
    }

    /// How many bytes of records are to be written.
    pub(super) fn outgoing_len(&self) -> usize {
        self.outgoing.len()
    }

    /// Takes in what came: [`partial`](Self::partial) and then new bytes. What it says goes to
    /// [`plain`](Self::plain), what is to be answered to [`outgoing`](Self::outgoing), in which an
    /// alert is also after an error.
    pub(super) fn receive(&mut self, bytes: &mut [u8]) -> Result<(), SessionError> {
        if self.is_broken {
            return Err(SessionError::NotReady);
        }
        let done = self.process(bytes).inspect_err(|_| self.is_broken = true)?;
        let rest = &bytes[done..];
        let rest_max = if self.is_established {
            PARTIAL_BYTES_MAX
        } else {
            PARTIAL_HANDSHAKE_MAX
        };
        if rest_max < rest.len() {
            return Err(SessionError::TooLong);
        }
        self.partial = BytesMut::from(rest);
        Ok(())
    }

    /// Handles every whole record; gives how many bytes of them are done with.
    fn process(&mut self, bytes: &mut [u8]) -> Result<usize, SessionError> {
        let mut done = 0;
        loop {
            let UnbufferedStatus { mut discard, state } = self.rustls.process_tls_records(&mut bytes[done..]);
            let mut is_over = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        self.plain.extend_from_slice(record.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, &mut self.outgoing)?,
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.is_peer_closed = true,
                Ok(ConnectionState::WriteTraffic(_)) => {
                    self.is_established = true;
                    is_over = true;
                }
                Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => is_over = true,
                // Early data is not offered, and there are no other states.
                Ok(ConnectionState::ReadEarlyData(_) | _) => return Err(SessionError::NotReady),
                Err(error) => {
                    self.take_alert(&mut bytes[done + discard..]);
                    return Err(error.into());
                }
            }
            done += discard;
            if is_over {
                return Ok(done);
            }
        }
    }

    /// Takes the record that tells the client of an error, if rustls made one.
    fn take_alert(&mut self, bytes: &mut [u8]) {
        if let Ok(ConnectionState::EncodeTlsData(mut data)) = self.rustls.process_tls_records(bytes).state {
            // It is only told in vain if it cannot be.
            let _ = encode(&mut data, &mut self.outgoing);
        }
    }

    /// Makes records of bytes at the start of `sealed`, which grows when it must; gives their
    /// length. [`outgoing`](Self::outgoing) goes before them.
    pub(super) fn seal(&mut self, bytes: &[u8], sealed: &mut Vec<u8>) -> Result<usize, SessionError> {
        self.writing(|traffic| {
            loop {
                match traffic.encrypt(bytes, sealed) {
                    Ok(length) => return Ok(length),
                    Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size })) => {
                        sealed.resize(required_size, 0);
                    }
                    Err(EncryptError::EncryptExhausted) => return Err(SessionError::Exhausted),
                }
            }
        })
    }

    /// Says, behind everything else, that nothing follows.
    pub(super) fn close(&mut self) -> Result<(), SessionError> {
        if self.is_closed {
            return Ok(());
        }
        self.is_closed = true;
        let mut record = [0; CLOSE_NOTIFY_BYTES_MAX];
        let length = self.writing(|traffic| {
            traffic
                .queue_close_notify(&mut record)
                .map_err(|_| SessionError::NotReady)
        })?;
        self.outgoing.extend_from_slice(&record[..length]);
        Ok(())
    }

    /// Writes, after what rustls itself has to say.
    fn writing<T>(
        &mut self,
        write: impl FnOnce(&mut WriteTraffic<'_, ServerConnectionData>) -> Result<T, SessionError>,
    ) -> Result<T, SessionError> {
        if self.is_broken {
            return Err(SessionError::NotReady);
        }
        loop {
            // Only a record that is not whole can be in there.
            let UnbufferedStatus { discard, state } = self.rustls.process_tls_records(&mut self.partial);
            match state.inspect_err(|_| self.is_broken = true)? {
                ConnectionState::WriteTraffic(mut traffic) => return write(&mut traffic),
                ConnectionState::EncodeTlsData(mut data) => encode(&mut data, &mut self.outgoing)?,
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => self.is_peer_closed = true,
                ConnectionState::BlockedHandshake
                | ConnectionState::Closed
                | ConnectionState::ReadTraffic(_)
                | ConnectionState::ReadEarlyData(_)
                | _ => return Err(SessionError::NotReady),
            }
            self.partial.advance(discard);
        }
    }
}

/// Takes a record that rustls has made.
fn encode(data: &mut EncodeTlsData<'_, ServerConnectionData>, outgoing: &mut BytesMut) -> Result<(), SessionError> {
    let Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) = data.encode(&mut []) else {
        return Ok(());
    };
    let start = outgoing.len();
    outgoing.resize(start + required_size, 0);
    data.encode(&mut outgoing[start..])
        .map_err(|_| SessionError::NotReady)?;
    Ok(())
}

#[cfg(test)]
mod tests;
