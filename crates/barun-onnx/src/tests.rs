//! The structure of translated graphs; what they compute is compared with onnxruntime by `tests/compare_with_onnxruntime.py`.

use std::sync::Arc;

use barun_engine::graph::Conv2d;
use barun_engine::{Buffer, DType, Layout, ProgramSpec, ScanOptions, Shape, State, Tensor, scan};
use prost::Message;

use crate::proto::{Model, Node, Size};
use crate::{BATCHES, Error, Source, Traced, encode};

/// A state with these tensors, each filled with the numbers from 1 on.
fn state(slots: &[(&str, &[usize])]) -> State {
    let slots = slots.iter().map(|(name, shape)| (name.to_string(), Shape::from(shape.to_vec()), DType::F32));
    let layout = Layout::new(slots.collect()).unwrap();
    let mut state = State::zeros(&layout);
    for (index, slot) in layout.slots().iter().enumerate() {
        let values: Vec<f32> = (1..=slot.shape.elements()).map(|value| value as f32).collect();
        state.write(index, &Buffer::new(&values, slot.shape.clone())).unwrap();
    }
    state
}

fn traced(state: &State, batch: usize, row: &[usize], dtype: DType, formula: &Formula) -> Traced {
    let x = Tensor::placeholder("x", Shape::from([&[batch], row].concat()), dtype);
    let weights: Vec<Tensor> =
        (0..state.layout().slots().len()).map(|index| state.layout().tensor(index)).collect();
    let outputs = [formula(&x, &weights)];
    let layout = Arc::clone(state.layout());
    ProgramSpec { layout: &layout, inputs: &[x], outputs: &outputs, updates: &[] }.trace().unwrap()
}

type Formula = dyn Fn(&Tensor, &[Tensor]) -> Tensor;

fn translated(state: &State, row: &[usize], dtype: DType, formula: &Formula) -> Result<Model, Error> {
    let [small, large] = [BATCHES.0, BATCHES.1].map(|batch| traced(state, batch, row, dtype, formula));
    let bytes = encode(&Source {
        small: &small,
        large: &large,
        state,
        input: ("in", "what comes in"),
        outputs: &[("out", "what goes out")],
        metadata: &[("classes", "[\"a\"]".to_string())],
        doc: "a test",
    })?;
    Ok(Model::decode(&bytes[..]).expect("what was encoded is a message"))
}

fn nodes(model: &Model) -> &[Node] {
    &model.graph.as_ref().unwrap().nodes
}

fn ops(model: &Model) -> Vec<&str> {
    nodes(model).iter().map(|node| node.op.as_str()).collect()
}

fn constants(model: &Model) -> Vec<(&str, Vec<i64>)> {
    let constants = model.graph.as_ref().unwrap().constants.iter();
    constants.map(|constant| (constant.name.as_str(), constant.dims.clone())).collect()
}

/// Every value is made before it is used, and made once.
fn assert_well_formed(model: &Model) {
    let graph = model.graph.as_ref().unwrap();
    let mut known: Vec<&str> = graph.inputs.iter().map(|input| input.name.as_str()).collect();
    known.extend(graph.constants.iter().map(|constant| constant.name.as_str()));
    for node in &graph.nodes {
        node.inputs
            .iter()
            .for_each(|input| assert!(known.contains(&input.as_str()), "{input} of {}", node.name));
        for output in &node.outputs {
            assert!(!known.contains(&output.as_str()), "{output} twice");
            known.push(output);
        }
    }
    graph.outputs.iter().for_each(|output| assert!(known.contains(&output.name.as_str())));
}

#[test]
fn a_linear_layer_is_a_product_and_a_sum_with_a_free_batch() {
    let state = state(&[("0.weight", &[3, 2]), ("0.bias", &[2])]);
    let formula = |x: &Tensor, w: &[Tensor]| {
        let y = x.matmul(&w[0]) + &w[1];
        y.maximum(&y.like(0.0))
    };
    let model = translated(&state, &[3], DType::F32, &formula).unwrap();
    assert_well_formed(&model);
    assert_eq!(ops(&model), ["MatMul", "Add", "Relu", "Identity"]);
    let (weight, bias) = (("0.weight", vec![3, 2]), ("0.bias", vec![1, 2]));
    assert_eq!(constants(&model)[0], weight);
    assert!(
        constants(&model).iter().any(|(_, dims)| *dims == bias.1 || *dims == [2]),
        "{:?}",
        constants(&model)
    );
    let graph = model.graph.as_ref().unwrap();
    let dims = |value: &crate::proto::Value| {
        let shape = value.kind.clone().unwrap().tensor.unwrap().shape.unwrap();
        shape.dims.into_iter().map(|dim| dim.size.unwrap()).collect::<Vec<Size>>()
    };
    assert_eq!(dims(&graph.inputs[0]), [Size::Free("batch".into()), Size::Fixed(3)]);
    assert_eq!(dims(&graph.outputs[0]), [Size::Free("batch".into()), Size::Fixed(2)]);
    assert_eq!((model.metadata[0].key.as_str(), model.opsets[0].version), ("classes", 17));
}

#[test]
fn what_depends_on_weights_alone_is_a_constant() {
    let state = state(&[("gamma", &[3]), ("var", &[3])]);
    let model = translated(&state, &[3], DType::F32, &|x, w| x * (&w[0] / (&w[1] + 1e-5).sqrt())).unwrap();
    assert_well_formed(&model);
    assert_eq!(ops(&model), ["Mul", "Identity"]);
    let constant = &model.graph.as_ref().unwrap().constants[0];
    let values: Vec<f32> =
        constant.bytes.chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    let expected = [1.0_f32, 2.0, 3.0].map(|n| n / (n + 1e-5_f32).sqrt());
    assert!(values.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{values:?}");
}

#[test]
fn a_convolution_stands_between_transpositions_and_its_kernels_are_turned() {
    let state = state(&[("conv.weight", &[3, 2, 4, 5])]);
    let conv = Conv2d { stride: [2, 1], padding: [(1, 1), (0, 0)], ..Conv2d::default() };
    let model =
        translated(&state, &[8, 8, 4], DType::U8, &move |x, w| x.cast(DType::F32).conv2d(&w[0], conv))
            .unwrap();
    assert_well_formed(&model);
    assert_eq!(ops(&model), ["Cast", "Transpose", "Conv", "Transpose", "Identity"]);
    assert!(constants(&model).contains(&("conv.weight:oihw", vec![5, 4, 3, 2])), "{:?}", constants(&model));
    let conv = &nodes(&model)[2];
    let ints =
        |name: &str| conv.attributes.iter().find(|attribute| attribute.name == name).unwrap().ints.clone();
    assert_eq!((ints("strides"), ints("pads")), (vec![2, 1], vec![1, 0, 1, 0]));
}

#[test]
fn a_reshape_leaves_the_batch_free() {
    let state = state(&[]);
    let model = translated(&state, &[4, 2], DType::F32, &|x, _| x.flatten(1).softmax(-1)).unwrap();
    assert_well_formed(&model);
    let reshape = nodes(&model).iter().find(|node| node.op == "Reshape").unwrap();
    let graph = model.graph.as_ref().unwrap();
    let sizes = graph.constants.iter().find(|constant| constant.name == reshape.inputs[1]).unwrap();
    let sizes: Vec<i64> =
        sizes.bytes.chunks(8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap())).collect();
    assert_eq!(sizes, [-1, 8]);
}

#[test]
fn what_repeats_along_the_batch_is_expanded_where_its_whole_shape_is_needed() {
    let state = state(&[("token", &[1, 3])]);
    let formula = |x: &Tensor, w: &[Tensor]| {
        let repeated = w[0].broadcast_to(x.shape().unwrap().clone());
        Tensor::concat(&[x, &repeated], -1)
    };
    let model = translated(&state, &[3], DType::F32, &formula).unwrap();
    assert_well_formed(&model);
    for op in ["Shape", "Expand", "Concat"] {
        assert!(ops(&model).contains(&op), "{op} in {:?}", ops(&model));
    }
}

#[test]
fn a_loop_sees_what_is_the_same_in_each_turn_by_its_name() {
    let state = state(&[("weight", &[3, 3])]);
    let looped = |x: &Tensor, w: &[Tensor]| {
        let options = ScanOptions { length: Some(4), ..ScanOptions::default() };
        scan(&[x], &[], options, |carry, _| Ok((vec![carry[0].matmul(&w[0])], Vec::new())))
            .unwrap()
            .0
            .remove(0)
    };
    let model = translated(&state, &[3], DType::F32, &looped).unwrap();
    assert_eq!(ops(&model), ["Scan", "Identity"]);
    let attribute =
        |name: &str| nodes(&model)[0].attributes.iter().find(|attribute| attribute.name == name).unwrap();
    let body = attribute("body").graph.as_ref().unwrap();
    assert_eq!(body.nodes.iter().map(|node| node.op.as_str()).collect::<Vec<_>>(), ["MatMul", "Identity"]);
    assert_eq!(body.nodes[0].inputs, [body.inputs[0].name.as_str(), "weight"]);
    // A loop without sequences gets one of as many zeros as it has turns.
    assert_eq!((body.inputs.len(), attribute("num_scan_inputs").int), (2, 1));
    assert!(constants(&model).iter().any(|(_, dims)| *dims == [4]), "{:?}", constants(&model));
}

#[test]
fn what_has_no_counterpart_is_refused_by_name() {
    let state = state(&[]);
    let spread = |x: &Tensor, _: &[Tensor]| {
        let rows = x.argmax(-1);
        x.scatter_add(&rows, 2)
    };
    let message = translated(&state, &[3], DType::F32, &spread).unwrap_err().to_string();
    assert!(message.contains("has no counterpart in ONNX, so this network cannot be exported"), "{message}");
}
