//! From the servers of a configuration to pools and their backends.

use model::scenario::{MOST_BACKENDS, MOST_POOLS};

use super::{OwnPool, pool_name};

/// What became of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::balancer) enum Server {
    /// It is this backend.
    Is(String),
    /// rig launches none for it.
    Refuses(String),
}

/// Pools, as they are found.
#[derive(Clone, Debug, Default)]
pub(in crate::balancer) struct Pools {
    pools: Vec<(OwnPool, Vec<String>)>,
}

impl Pools {
    /// The pool of the section `called` with servers at `addresses`, what became of each of them, and the section with the
    /// same servers that was found before. `None`: there are too many pools.
    pub(in crate::balancer) fn of(
        &mut self,
        called: &str,
        addresses: &[String],
    ) -> Option<(String, Vec<Server>, Option<String>)> {
        if let Some((pool, _)) = self.pools.iter().find(|(pool, _)| pool.called == called) {
            return Some((pool.name.clone(), servers(&pool.name, addresses), None));
        }
        if let Some((pool, _)) = self.pools.iter().find(|(_, known)| known == addresses) {
            return Some((pool.name.clone(), servers(&pool.name, addresses), Some(pool.called.clone())));
        }
        if self.pools.len() == MOST_POOLS || addresses.is_empty() {
            return None;
        }
        let name = self.free(&pool_name(called));
        let pool = OwnPool {
            name: name.clone(),
            called: called.to_owned(),
            backends: addresses.len().min(MOST_BACKENDS),
        };
        self.pools.push((pool, addresses.to_vec()));
        Some((name.clone(), servers(&name, addresses), None))
    }

    /// The pool that a section became.
    pub(in crate::balancer) fn named(&self, called: &str) -> Option<&OwnPool> {
        self.pools.iter().map(|(pool, _)| pool).find(|pool| pool.called == called)
    }

    /// All of them.
    pub(in crate::balancer) fn all(&self) -> Vec<OwnPool> {
        self.pools.iter().map(|(pool, _)| pool.clone()).collect()
    }

    fn free(&self, wanted: &str) -> String {
        let wanted = if wanted.is_empty() { "pool" } else { wanted };
        let names = std::iter::once(wanted.to_owned()).chain((2..).map(|n| format!("{wanted}-v{n}")));
        let taken = |name: &String| self.pools.iter().any(|(pool, _)| pool.name == *name);
        names.into_iter().find(|name| !taken(name)).unwrap_or_default()
    }
}

/// Why a server is not taken over.
pub(in crate::balancer) fn too_many() -> String {
    format!("a pool has at most {MOST_BACKENDS} backends")
}

fn servers(pool: &str, addresses: &[String]) -> Vec<Server> {
    let one = |n: usize| match n < MOST_BACKENDS {
        true => Server::Is(format!("{pool}-{}", n + 1)),
        false => Server::Refuses(too_many()),
    };
    (0..addresses.len()).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_with_the_same_servers_are_one_pool_and_names_do_not_collide() {
        let addresses = |hosts: &[&str]| hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>();
        let mut pools = Pools::default();
        let (name, servers, _) = pools.of("App_Main", &addresses(&["a", "b"])).unwrap();
        assert_eq!((name.as_str(), servers[1].clone()), ("app-main", Server::Is("app-main-2".into())));
        let (name, _, same) = pools.of("app_ws", &addresses(&["a", "b"])).unwrap();
        assert_eq!((name.as_str(), same.as_deref()), ("app-main", Some("App_Main")));
        assert_eq!(pools.of("app-main", &addresses(&["c"])).unwrap().0, "app-main-v2");
        assert_eq!(pools.of("empty", &[]), None);
        let many: Vec<String> = (0..=MOST_BACKENDS).map(|n| n.to_string()).collect();
        let (_, servers, _) = pools.of("many", &many).unwrap();
        assert!(matches!(servers[MOST_BACKENDS], Server::Refuses(_)));
    }
}
