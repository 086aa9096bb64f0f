//! Negative controls: which claims rest on one, and what makes a variant the control of another.
//!
//! That nothing was lost shows something only where something could have been: beside another variant with the same
//! arrivals and the same deploy or fault which did lose. Validation asks for such a control, the report for its losses.

use std::collections::BTreeSet;
use std::fmt;

use crate::claim::{Better, Claim, Comparison, Metric, Operand};
use crate::plan::Variant;
use crate::timeline::Harm;
use crate::topology::Pool;

/// Who promises so much of what went well promises few losses.
const MOST: f64 = 0.9;

/// What a claim says about losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// It can't hold where nothing of the metric was lost.
    Loss(Metric),
    /// It is about losses of the metric, and can hold where there are none.
    Perhaps(Metric),
    /// It is about something else.
    Nothing,
}

impl Metric {
    /// Whether losses of it show that there could have been some of `other` as well: any lost request may be lost in
    /// another way, but requests that are lost show nothing of sessions.
    pub fn shows(self, other: Metric) -> bool {
        use Metric::*;
        let is_request = |loss| {
            matches!(
                loss,
                Dropped
                    | Http5xx
                    | Reset
                    | Closed
                    | Refused
                    | Timeout
                    | NotSent
                    | FailedRequests
                    | Status
                    | Flag
                    | RefusedByLimit
            )
        };
        self == other || (is_request(self) && is_request(other))
    }

    /// Whether it grows with what it says of losses; `ok` shrinks.
    fn is_loss(self) -> bool {
        self.loss().is_some() && self.better() != Better::Higher
    }
}

impl Claim {
    /// The losses that it promises to be none or few: it rests on a control, where there is something to lose by.
    pub fn promises_few(&self) -> Option<Metric> {
        use Comparison::{AtLeast, AtMost, Equal, Greater, Less};
        let metric = self.left.metric;
        let from_above = matches!(self.comparison, Equal | Less | AtMost);
        let from_below = matches!(self.comparison, Equal | Greater | AtLeast);
        // Where all that a variant lost was lost in one way, it is said how, and not how much.
        let among_its_own = matches!(&self.right, Operand::Multiple { reading, .. }
            if reading.variant == self.left.variant && reading.metric.is_loss());
        match self.says() {
            _ if among_its_own => None,
            Says::Perhaps(loss) if metric.is_loss() && from_above => Some(loss),
            // That some went well, or half as many as elsewhere, promises little.
            Says::Perhaps(loss) if !metric.is_loss() && from_below => {
                let most = match &self.right {
                    Operand::All => true,
                    Operand::Multiple { times, .. } => self.comparison == Equal || *times >= MOST,
                    other => other.constant() > Some(if self.comparison == Greater { 0.0 } else { 1.0 }),
                };
                most.then_some(loss)
            }
            _ => None,
        }
    }

    /// What it says about losses.
    pub fn says(&self) -> Says {
        use Comparison::{AtLeast, AtMost, Equal, Greater, Less, NotEqual};
        let metric = self.left.metric;
        let Some(loss) = metric.loss() else { return Says::Nothing };
        let excludes_none = if metric.is_loss() {
            match (self.comparison, self.right.constant()) {
                (Greater, _) => true,
                (AtLeast | Equal, _) if self.right == Operand::All => true,
                (AtLeast | Equal, Some(least)) => least > 0.0,
                (NotEqual, Some(other)) => other == 0.0,
                _ => false,
            }
        } else {
            // Only the variant's own schedule says how much is all of it.
            let of_all = match &self.right {
                Operand::All => Some(1.0),
                Operand::Multiple { times, reading } if reading.metric == Metric::Scheduled => {
                    Some(*times).filter(|_| reading.variant == self.left.variant)
                }
                _ => None,
            };
            match (self.comparison, of_all) {
                (Less, Some(times)) => times <= 1.0,
                (AtMost, Some(times)) => times < 1.0,
                (NotEqual, Some(times)) => times == 1.0,
                _ => false,
            }
        };
        if excludes_none { Says::Loss(loss) } else { Says::Perhaps(loss) }
    }
}

impl Operand {
    /// The number that it is, whatever is measured.
    fn constant(&self) -> Option<f64> {
        match self {
            Operand::Count(count) => Some(*count as f64),
            Operand::Number(number) => Some(*number),
            Operand::Share(share) => Some(share.0),
            Operand::Span(span) => Some(span.as_millis()),
            Operand::All | Operand::Multiple { .. } => None,
        }
    }
}

fn harms<'v>(variant: &'v Variant) -> BTreeSet<Harm<'v>> {
    // What is in no pool is the session store: its own name stands for it.
    let pool = |backend: &'v str| {
        let mut pools = variant.topology.pools.iter();
        let pool = pools.find(|pool| pool.backends.iter().any(|known| known.id == backend));
        pool.map_or(backend, |pool| pool.name.as_str())
    };
    variant.timeline.iter().filter_map(|entry| entry.action.harm(pool)).collect()
}

/// Whether something happens to `variant` that requests can be lost by. Where nothing does, nothing needs to be shown
/// to harm.
pub fn is_harmed(variant: &Variant) -> bool {
    !harms(variant).is_empty()
}

/// Why a variant is no control of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is that variant.
    Itself,
    /// Other things happen to it.
    OtherHarm,
    /// Its requests arrive otherwise, or for longer.
    OtherArrivals {
        /// Its load.
        control: String,
        /// The other's.
        about: String,
    },
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::Itself => f.write_str("is the same variant"),
            Unfit::OtherHarm => f.write_str("does not have the same deploy or fault"),
            Unfit::OtherArrivals { control, about } => write!(f, "has another load ({control}, not {about})"),
        }
    }
}

/// Why `control` can't show what `about` would lose; `None`: it can. A deploy, or a removal, is compared with the same, to which
/// nothing else was added; of faults, one in common suffices, since one may be what is tested. The control's load may be
/// shorter: what it lost is then among what `about` had to serve as well.
pub fn unfit(control: &Variant, about: &Variant) -> Option<Unfit> {
    if control.name == about.name {
        return Some(Unfit::Itself);
    }
    // What is added loses less than what leaves: it is no control of that, and needs none of its own beside it.
    let leaves = |harm: &&Harm<'_>| matches!(harm, Harm::Deploy(_) | Harm::Remove(_));
    let (of_control, of_about) = (harms(control), harms(about));
    let leaving: BTreeSet<_> = of_about.iter().filter(leaves).collect();
    let rolls_out = !leaving.is_empty() || of_about.iter().any(|harm| matches!(harm, Harm::Add(_)));
    let same_harm = !of_control.is_disjoint(&of_about)
        && leaving.iter().all(|harm| of_control.contains(*harm))
        && (!rolls_out || of_control.is_subset(&of_about));
    if !same_harm {
        return Some(Unfit::OtherHarm);
    }
    let (of_control, of_about) = (&control.traffic, &about.traffic);
    let same_arrivals = (of_control.rate, of_control.arrivals) == (of_about.rate, of_about.arrivals);
    (!same_arrivals || of_control.duration > of_about.duration).then(|| Unfit::OtherArrivals {
        control: format!("{} for {}", of_control.rate, of_control.duration),
        about: format!("{} for {}", of_about.rate, of_about.duration),
    })
}

/// Whether the same serves in both: a service of the user's with the same command or image, at the same URL. Where a control is
/// alike, others show nothing: what one program loses says little of another.
pub fn is_alike(control: &Variant, about: &Variant) -> bool {
    let programs = |variant: &Variant| {
        let of_pool = |pool: &Pool| {
            let service = pool.service.as_ref()?;
            Some((pool.name.clone(), service.command.clone(), service.image.clone()))
        };
        variant.topology.pools.iter().filter_map(of_pool).collect::<BTreeSet<_>>()
    };
    let url = |variant: &Variant| variant.target.as_ref().map(|target| target.url.clone());
    programs(control) == programs(about) && url(control) == url(about)
}
