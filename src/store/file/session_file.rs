//! Reading the file of a session.

use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::file_id::FileId;
use super::format::{self, Damage, HEADER, Header};
use super::open::{is_no_file, open_file};
use super::options::LARGEST_ENTRY;
use super::owner::Owner;
use crate::id::StoreKey;
use crate::store::Entry;

/// A file that was read.
#[derive(Debug)]
pub(super) struct SessionFile {
    pub(super) content: Result<Entry, Damage>,
    /// The number of names (hard links) of the file. With none it was removed or replaced while it
    /// was being opened, or before: an NFS client may open a file that it knows by its handle.
    pub(super) links: u64,
    /// The file itself; `None` for a link or a socket.
    pub(super) id: Option<FileId>,
}

/// Reads a session: open, `fstat`, read, close.
///
/// The `fstat` sends nothing to an NFS server, because the answer to OPEN has brought the attributes.
/// Without it the end of the file would be found by a second `read`, which does send a request. It
/// also tells whose file was opened; a `stat` of the name could be told about another file.
pub(super) fn read_session(key: &StoreKey, path: &Path, owner: Owner) -> io::Result<SessionFile> {
    let mut file = match open_file(path) {
        Err(error) if is_no_file(&error) => {
            return Ok(SessionFile { content: Err(Damage::Foreign), links: 1, id: None });
        }
        opened => opened?,
    };
    let metadata = file.metadata()?;
    let (links, id) = (metadata.nlink(), Some(FileId::from_metadata(&metadata)));
    if let Err(damage) = check(&metadata, owner) {
        return Ok(SessionFile { content: Err(damage), links, id });
    }
    let mut bytes = vec![0; usize::try_from(metadata.len()).unwrap_or(usize::MAX)];
    let content = match file.read_exact(&mut bytes) {
        Ok(()) => format::decode(key, bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Damage::Length),
        Err(error) => return Err(error),
    };
    Ok(SessionFile { content, links, id })
}

/// Checks what can be known of a file before it is read.
fn check(metadata: &Metadata, owner: Owner) -> Result<(), Damage> {
    if !metadata.is_file() || metadata.len() > (LARGEST_ENTRY + HEADER) as u64 {
        return Err(Damage::Foreign);
    }
    owner.check(metadata).map_err(Damage::Exposed)
}

/// Reads the header of a file, which is enough for the sweeper.
pub(super) fn read_header(path: &Path, owner: Owner) -> io::Result<Result<Header, Damage>> {
    let file = open_file(path)?;
    let metadata = file.metadata()?;
    if let Err(damage) = check(&metadata, owner) {
        return Ok(Err(damage));
    }
    let mut header = Vec::with_capacity(HEADER);
    file.take(HEADER as u64).read_to_end(&mut header)?;
    Ok(format::decode_header(&header, metadata.len()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::clock::Timestamp;
    use crate::store::file::owner::Exposure;

    const KEY: StoreKey = StoreKey::from_bytes([7; 32]);

    #[test]
    fn a_file_that_another_user_could_have_written_is_not_read() {
        let path = std::env::temp_dir().join(format!("cloakroom-owner-{}", std::process::id()));
        fs::write(&path, format::encode(&KEY, &[1; 8], Timestamp::MAX, b"a coat")).unwrap();
        let owner = Owner::of(&fs::metadata(&path).unwrap());
        let read = |owner| {
            let (file, header) = (read_session(&KEY, &path, owner), read_header(&path, owner));
            (file.unwrap().content.map(drop), header.unwrap().map(drop))
        };
        let exposed = |how| (Err(Damage::Exposed(how)), Err(Damage::Exposed(how)));
        for (mode, expected) in [
            (0o600, (Ok(()), Ok(()))),
            (0o644, (Ok(()), Ok(()))),
            (0o620, exposed(Exposure::Writable)),
            (0o602, exposed(Exposure::Writable)),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(owner), expected, "{mode:o}");
        }
        assert_eq!(read(owner.other()), exposed(Exposure::OtherUser));
        fs::remove_file(&path).unwrap();
    }
}
