//! Images of containers: what an artifact is called in a registry, and which artifact an image is.

use std::sync::Arc;

use crate::domain::Artifact;
use crate::domain::text::printable;

/// The longest version that is taken over from an image.
const LONGEST: usize = 200;

/// Which artifact an image is, for a target whose images lie in `repository`.
///
/// A mirror may stand before the repository (admission webhooks put one there): the last part of the
/// name decides. An image of another name is shown whole, so that it is never taken for a version.
pub fn artifact(image: &str, repository: &str) -> Artifact {
    let (name, digest) = image.split_once('@').unwrap_or((image, ""));
    let start = name.rfind('/').map_or(0, |slash| slash + 1);
    let (last, tag) = match name[start..].split_once(':') {
        Some((last, tag)) => (last, tag),
        None => (&name[start..], ""),
    };
    let expected = repository.rsplit('/').next().unwrap_or(repository);
    let version = if last != expected {
        name
    } else if tag.is_empty() && digest.is_empty() {
        // a container without a tag runs `latest`
        "latest"
    } else {
        tag
    };
    Artifact {
        version: printable(version, LONGEST).into(),
        digest: printable(digest, LONGEST).into(),
    }
}

/// Whether an image is an artifact: same version, and the same digest where both are known.
pub fn is(image: &str, wished: &Artifact, repository: &str) -> bool {
    artifact(image, repository).is(wished)
}

/// An artifact of which nothing but the image is known, for a message.
pub fn short(image: &str) -> Arc<str> {
    let (name, _) = image.split_once('@').unwrap_or((image, ""));
    printable(name, LONGEST).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(image: &str) -> (String, String) {
        let found = artifact(image, "registry.example/shop/web");
        (found.version.to_string(), found.digest.to_string())
    }

    #[test]
    fn version_and_digest_are_read() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(of("registry.example/shop/web:1.4"), pair("1.4", ""));
        assert_eq!(
            of("registry.example/shop/web:1.4@sha256:ab"),
            pair("1.4", "sha256:ab")
        );
        assert_eq!(
            of("mirror:5000/x/web@sha256:ab"),
            pair("", "sha256:ab"),
            "a digest alone has no version"
        );
        assert_eq!(of("web"), pair("latest", ""));
        assert_eq!(of("localhost:5000/shop/web"), pair("latest", ""));
        assert_eq!(
            of("registry.example/other:1.4"),
            pair("registry.example/other:1.4", ""),
            "another program is no version of this one"
        );
    }
}
