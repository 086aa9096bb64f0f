//! Whether two handfuls of numbers differ by more than chance explains: the exact rank test of Wilcoxon, Mann and
//! Whitney, with midranks where numbers are equal.

/// More numbers than this, in both together, are judged by the normal approximation: so many orders take too long to count.
const COUNTED: usize = 60;

/// How often chance alone would part `a` and `b` at least as far as they are, two-sided, if all of them came from one
/// distribution, whatever that is (Lehmann, "Nonparametrics", §1.2 and §1.4). Infinite numbers are the largest, and equal
/// to each other. 1 where one of them is empty.
pub(super) fn chance(a: &[f64], b: &[f64]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 1.0;
    }
    let ranks = doubled_midranks(a.iter().chain(b).copied());
    let observed: usize = ranks[..a.len()].iter().sum();
    // Twice the mean of the doubled sum is whole, so that distances are compared exactly.
    let twice_mean = 2 * a.len() * (ranks.len() + 1);
    let distance = (2 * observed).abs_diff(twice_mean);
    if ranks.len() > COUNTED {
        return approximate(&ranks, a.len(), distance);
    }
    let sums = sums_of(&ranks, a.len());
    let all: f64 = sums.iter().sum();
    let far = sums.iter().enumerate().filter(|(sum, _)| (2 * sum).abs_diff(twice_mean) >= distance);
    far.map(|(_, ways)| ways).sum::<f64>() / all
}

/// Twice the rank of each number, from 2 on; equal numbers share the mean of theirs.
fn doubled_midranks(numbers: impl Iterator<Item = f64>) -> Vec<usize> {
    let numbers: Vec<f64> = numbers.collect();
    let below = |x: f64| numbers.iter().filter(|y| y.total_cmp(&x).is_lt()).count();
    let equal = |x: f64| numbers.iter().filter(|y| y.total_cmp(&x).is_eq()).count();
    numbers.iter().map(|x| 2 * below(*x) + equal(*x) + 1).collect()
}

/// In how many ways `n` of `ranks` have each sum.
fn sums_of(ranks: &[usize], n: usize) -> Vec<f64> {
    let most: usize = ranks.iter().sum();
    let mut ways = vec![vec![0.0; most + 1]; n + 1];
    ways[0][0] = 1.0;
    for rank in ranks {
        for chosen in (1..=n).rev() {
            for sum in (*rank..=most).rev() {
                ways[chosen][sum] += ways[chosen - 1][sum - rank];
            }
        }
    }
    ways.pop().unwrap_or_default()
}

/// The same for many: the doubled sum is nearly normal, with the variance that its ties leave it.
fn approximate(ranks: &[usize], n: usize, distance: usize) -> f64 {
    let (all, n) = (ranks.len() as f64, n as f64);
    let mean = all + 1.0;
    let spread: f64 = ranks.iter().map(|rank| (*rank as f64 - mean).powi(2)).sum();
    let deviation = (n * (all - n) / (all * (all - 1.0)) * spread).sqrt();
    if deviation == 0.0 { 1.0 } else { two_sided(distance as f64 / 2.0 / deviation) }
}

/// P(|Z| ≥ z), by Abramowitz & Stegun 7.1.26: off by less than 2e-7.
fn two_sided(z: f64) -> f64 {
    let x = z / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let terms = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    terms.iter().fold(0.0, |sum, term| (sum + term) * t) * (-x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: [f64; 5] = [1.0, 2.0, 3.0, 4.0, 5.0];
    const HIGH: [f64; 5] = [6.0, 7.0, 8.0, 9.0, 10.0];

    #[test]
    fn five_that_lie_all_below_five_others_come_so_in_two_of_252_orders() {
        assert!((chance(&LOW, &HIGH) - 2.0 / 252.0).abs() < 1e-12);
        assert_eq!(chance(&LOW, &HIGH), chance(&HIGH, &LOW));
    }

    #[test]
    fn the_table_of_the_rank_sum_is_met() {
        // Lehmann, table B: of 4 and 4, P(W ≤ 12) = 0.0571 / 2 …: the ranks 1, 2, 3, 6 are at one end of 4 of 70 orders.
        let (a, b) = ([1.0, 2.0, 3.0, 6.0], [4.0, 5.0, 7.0, 8.0]);
        assert!((chance(&a, &b) - 2.0 * 4.0 / 70.0).abs() < 1e-12, "{}", chance(&a, &b));
    }

    #[test]
    fn what_is_all_equal_differs_by_nothing() {
        assert_eq!(chance(&[0.0; 5], &[0.0; 5]), 1.0);
        assert_eq!(chance(&[f64::INFINITY; 5], &[f64::INFINITY; 5]), 1.0);
        assert_eq!(chance(&[], &LOW), 1.0);
    }

    #[test]
    fn infinite_numbers_are_the_largest() {
        assert_eq!(chance(&LOW, &[f64::INFINITY; 5]), chance(&LOW, &[9.0; 5]));
        assert!(chance(&LOW, &[f64::INFINITY; 5]) < 0.01);
    }

    #[test]
    fn many_numbers_are_judged_nearly_as_if_they_were_counted() {
        let numbers = |n: u32, from: f64| (0..n).map(|i| from + f64::from(i)).collect::<Vec<_>>();
        let (counted, many) = (chance(&numbers(30, 0.0), &numbers(30, 7.3)), {
            let (a, b) = (numbers(30, 0.0), numbers(30, 7.3));
            let ranks = doubled_midranks(a.iter().chain(&b).copied());
            let observed: usize = ranks[..30].iter().sum();
            approximate(&ranks, 30, (2 * observed).abs_diff(2 * 30 * 61))
        });
        assert!((counted - many).abs() < 0.005, "{counted} {many}");
        assert!(chance(&numbers(40, 0.0), &numbers(40, 100.0)) < 1e-6);
    }
}
