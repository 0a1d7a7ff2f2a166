//! AdamW (Loshchilov and Hutter 2017, arXiv 1711.05101), with a state that can be stored: candle's own keeps it to itself.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};

const BETAS: (f64, f64) = (0.9, 0.999);
const EPSILON: f64 = 1e-8;

/// What is trained, and what the optimizer remembers of it.
#[derive(Debug)]
pub(crate) struct Optimizer {
    pub(crate) trained: Vec<(String, Var)>,
    /// Running means of each gradient and of its square.
    pub(crate) moments: Vec<(Tensor, Tensor)>,
    /// Updates done.
    pub(crate) updates: u64,
    decay: f64,
}

/// Gradients of a step, summed over the parts of its batch, in the order of what is trained.
#[derive(Debug, Default)]
pub(crate) struct Gradients(Vec<Option<Tensor>>);

impl Gradients {
    /// Adds what a part of the batch brought.
    pub(crate) fn add(&mut self, trained: &[(String, Var)], store: &GradStore) -> Result<()> {
        self.0.resize_with(trained.len(), || None);
        for (sum, (_, var)) in self.0.iter_mut().zip(trained) {
            let Some(gradient) = store.get(var.as_tensor()) else {
                continue;
            };
            *sum = Some(match sum.take() {
                None => gradient.clone(),
                Some(sum) => (sum + gradient)?,
            });
        }
        Ok(())
    }

    /// Their length, all taken as one vector.
    pub(crate) fn norm(&self) -> Result<f64> {
        let mut squares = 0.0;
        for gradient in self.0.iter().flatten() {
            squares += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
        Ok(squares.sqrt())
    }
}

impl Optimizer {
    pub(crate) fn new(trained: Vec<(String, Var)>, decay: f64) -> Result<Self> {
        let moments = trained
            .iter()
            .map(|(_, var)| Ok((var.zeros_like()?, var.zeros_like()?)))
            .collect::<Result<_>>()?;
        Ok(Self {
            trained,
            moments,
            updates: 0,
            decay,
        })
    }

    /// Moves the weights against the gradients, which count `scale` times.
    pub(crate) fn update(&mut self, gradients: Gradients, scale: f64, learning_rate: f64) -> Result<()> {
        self.updates += 1;
        let updates = self.updates.min(i32::MAX as u64) as i32;
        let unbiased = (1.0 - BETAS.0.powi(updates), 1.0 - BETAS.1.powi(updates));
        let state = self.trained.iter().zip(&mut self.moments);
        for (((_, var), (mean, square)), gradient) in state.zip(gradients.0) {
            let Some(gradient) = gradient else { continue };
            let gradient = (gradient * scale)?;
            *mean = ((&*mean * BETAS.0)? + (&gradient * (1.0 - BETAS.0))?)?;
            *square = ((&*square * BETAS.1)? + (gradient.sqr()? * (1.0 - BETAS.1))?)?;
            let spread = ((&*square / unbiased.1)?.sqrt()? + EPSILON)?;
            let change = ((&*mean * (learning_rate / unbiased.0))? / spread)?;
            // Norms and biases are not pulled to zero, as transformers has it.
            let decay = if var.rank() > 1 { self.decay } else { 0.0 };
            let kept = (var.as_detached_tensor() * (1.0 - learning_rate * decay))?;
            var.set(&(kept - change)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// PyTorch 2: `AdamW([w], lr=0.1, weight_decay=0.01)` on `(w ** 2).sum()` from `[1, -2]`, three steps.
    #[test]
    fn it_moves_as_pytorch_does() {
        let var = Var::new(&[[1f32, -2.0]], &Device::Cpu).unwrap();
        let mut optimizer = Optimizer::new(vec![("w".to_owned(), var.clone())], 0.01).unwrap();
        for _ in 0..3 {
            let loss = var.as_tensor().sqr().unwrap().sum_all().unwrap();
            let mut gradients = Gradients::default();
            gradients
                .add(&optimizer.trained, &loss.backward().unwrap())
                .unwrap();
            optimizer.update(gradients, 1.0, 0.1).unwrap();
        }
        let now: Vec<f32> = var.flatten_all().unwrap().to_vec1().unwrap();
        for (now, expected) in now.iter().zip(PYTORCH) {
            assert!((now - expected).abs() < 1e-6, "{now} {expected}");
        }
    }

    const PYTORCH: [f32; 2] = [0.698_911_2, -1.694_944_5];
}
