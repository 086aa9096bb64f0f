//! Sessions that users carry themselves, in signed tokens (RFC 7519, HS256). Of two answers to one user at once the one
//! that arrives last is the user's next token: the other's update is lost, which the report counts.

use std::sync::Once;

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use model::sessions::JwtKey;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::FoundSession;

/// The keys of one incarnation.
pub(super) struct Tokens {
    sign: EncodingKey,
    accept: Vec<DecodingKey>,
    validation: Validation,
}

/// What a token says.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    /// The session.
    sid: String,
    /// Its counter.
    count: u64,
}

impl Tokens {
    pub(super) fn new(sign: &JwtKey, accept: &[JwtKey]) -> Tokens {
        static INSTALLED: Once = Once::new();
        // Once a process: tests serve several backends in one.
        INSTALLED.call_once(|| {
            let _ = HS256.install_default();
        });
        let mut validation = Validation::new(Algorithm::HS256);
        // No cell lasts as long as a token would.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        Tokens {
            sign: EncodingKey::from_secret(sign.0.as_bytes()),
            accept: accept.iter().map(|key| DecodingKey::from_secret(key.0.as_bytes())).collect(),
            validation,
        }
    }

    pub(super) fn issue(&self, id: &str, count: u64) -> String {
        let claims = Claims { sid: id.to_owned(), count };
        encode(&Header::new(Algorithm::HS256), &claims, &self.sign).expect("names and numbers can be signed")
    }

    /// The session of a token that one of the keys has signed, with one more.
    pub(super) fn count(&self, token: &str) -> Option<FoundSession> {
        let read = |key| decode::<Claims>(token, key, &self.validation).ok();
        let Claims { sid, count } = self.accept.iter().find_map(read)?.claims;
        let count = count.checked_add(1)?;
        Some(FoundSession { cookie: Some(self.issue(&sid, count)), id: sid, count })
    }
}

/// The library's own providers bring every algorithm, and 30 crates. This one has the algorithm that is needed.
static HS256: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256::new(key.as_bytes())?) as Box<dyn JwtSigner>),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256::new(key.try_get_as_bytes()?)?) as Box<dyn JwtVerifier>),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(key: &[u8]) -> Result<Hs256, Error> {
        Hmac::new_from_slice(key).map(Hs256).map_err(|_| ErrorKind::InvalidKeyFormat.into())
    }

    fn over(&self, message: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(message);
        mac
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.over(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.over(message).verify_slice(signature).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(sign: &str, accept: &[&str]) -> Tokens {
        let key = |text: &str| JwtKey(text.to_owned());
        Tokens::new(&key(sign), &accept.iter().map(|text| key(text)).collect::<Vec<_>>())
    }

    #[test]
    fn a_token_goes_on_where_its_key_is_accepted_and_nowhere_else() {
        let (old, new) = (tokens("a", &["a"]), tokens("b", &["b"]));
        let (old_of_two, new_of_two) = (tokens("a", &["a", "b"]), tokens("b", &["a", "b"]));
        let token = old.issue("web-1.1-0", 4);
        let found = old.count(&token).unwrap();
        assert_eq!((found.id.as_str(), found.count), ("web-1.1-0", 5));
        let next = found.cookie.unwrap();
        assert!(new.count(&next).is_none(), "signed with a key that is gone");
        let crossed = new_of_two.count(&next).unwrap();
        assert_eq!(crossed.count, 6);
        assert_eq!(old_of_two.count(&crossed.cookie.unwrap()).unwrap().count, 7);
    }

    #[test]
    fn what_is_not_signed_is_no_session() {
        let tokens = tokens("a", &["a"]);
        let token = tokens.issue("web-1.1-0", 4);
        let (head, rest) = token.split_once('.').unwrap();
        let (claims, signature) = rest.split_once('.').unwrap();
        // The published example of RFC 7515, appendix A.1, has another key; `none` has no signature.
        let unsigned = format!("eyJhbGciOiJub25lIn0.{claims}.");
        let altered = format!("{head}.{}.{signature}", claims.replacen('e', "f", 1));
        for forged in ["", "web-1.1-0", unsigned.as_str(), altered.as_str()] {
            assert!(tokens.count(forged).is_none(), "{forged}");
        }
    }

    #[test]
    fn a_token_is_what_others_would_sign() {
        // HMAC-SHA-256 of RFC 4231, test case 2.
        let mac = Hs256::new(b"Jefe").unwrap().try_sign(b"what do ya want for nothing?").unwrap();
        assert_eq!(mac[..4], [0x5b, 0xdc, 0xc1, 0x46]);
    }
}
