package dev.featx.nets;

import com.sun.jna.Memory;
import dev.featx.contract.Contract;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/**
 * A net written by the driver's importer: a JSON header and float32 weights in one byte array.
 *
 * <p>featx_job/nets/network_file.py, the only writer, documents the layout.
 */
public final class NetworkFile {
  private static final byte[] MAGIC = "FEATXNET".getBytes(StandardCharsets.US_ASCII);
  private static final int VERSION = 1;
  private static final int ALIGNMENT = 64;

  private final NetworkHeader header;
  private final ByteBuffer weights;

  private NetworkFile(NetworkHeader header, ByteBuffer weights) {
    this.header = header;
    this.weights = weights;
  }

  /**
   * Reads a network file.
   *
   * @param bytes the whole file, which is not copied
   * @throws IllegalArgumentException if it is not a network file, or of another version
   */
  public static NetworkFile read(byte[] bytes) {
    return read(ByteBuffer.wrap(bytes));
  }

  /**
   * Maps a network file from disk; weights stay there until a layer reads its own.
   *
   * @param path of the file
   * @throws IOException if it can't be read
   * @throws IllegalArgumentException if it is not a network file, or of another version
   */
  public static NetworkFile read(Path path) throws IOException {
    try (FileChannel channel = FileChannel.open(path)) {
      return read(channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size()));
    }
  }

  private static NetworkFile read(ByteBuffer bytes) {
    ByteBuffer buffer = bytes.order(ByteOrder.LITTLE_ENDIAN);
    int size = buffer.capacity();
    if (size < 16 || !buffer.slice(0, MAGIC.length).equals(ByteBuffer.wrap(MAGIC))) {
      throw new IllegalArgumentException("not a network file");
    }
    int version = buffer.getInt(8);
    if (version != VERSION) {
      throw new IllegalArgumentException("network file has version " + version + "; this job image reads version " + VERSION);
    }
    int length = buffer.getInt(12);
    int start = (16 + length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (length < 0 || start > size) {
      throw truncated(size);
    }
    byte[] header = new byte[length];
    buffer.get(16, header);
    try {
      NetworkHeader parsed = Contract.readSparse(new String(header, StandardCharsets.UTF_8), NetworkHeader.class);
      return new NetworkFile(parsed, buffer.slice(start, size - start).order(ByteOrder.LITTLE_ENDIAN));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("the network file header is damaged", e);
    }
  }

  /** Returns the net's own name, which may be empty. */
  public String name() {
    return header.name();
  }

  /** Returns {channels, height, width} of the input. */
  public int[] inputShape() {
    return header.input().shape();
  }

  /** Returns the input's name, to which layers refer. */
  public String inputName() {
    return header.input().name();
  }

  /** Returns the layers in running order. */
  public Iterable<Layer> layers() {
    return header.layers();
  }

  /** Returns the names of the layers whose outputs are the net's. */
  public List<String> outputs() {
    return header.outputs();
  }

  /** Returns the number of outputs that are the net's own, which come first; others are only observed. */
  public int ownOutputs() {
    return header.ownOutputs() == null ? header.outputs().size() : header.ownOutputs();
  }

  /** Returns the shape of each output, without the batch axis. */
  public List<int[]> outputShapes() {
    return header.outputShapes();
  }

  /** Returns the net in ONNX, outside the heap; only files written for OpenVINO contain one. */
  public Memory onnx() {
    NetworkHeader.OnnxModel model = header.onnx();
    if (model == null) {
      throw new IllegalArgumentException("this network file was not written for OpenVINO");
    }
    Memory bytes = new Memory(model.length());
    bytes.getByteBuffer(0, bytes.size()).put(weights.slice(model.offset(), model.length()));
    return bytes;
  }

  /** Returns the lowest and highest observed output of a layer, or null if it was not observed. */
  public float[] range(String layer) {
    return header.ranges() == null ? null : header.ranges().get(layer);
  }

  /** Returns the detection stage of an SSD, or null for an extractor. */
  NetworkHeader.SingleShot detection() {
    return header.detection();
  }

  /** Returns the values of an array. */
  public float[] floats(Layer.Array array) {
    int count = 1;
    for (int size : array.shape()) {
      count *= size;
    }
    float[] values = new float[count];
    if (array.offset() + count * (long) Float.BYTES > weights.capacity()) {
      throw truncated(weights.capacity());
    }
    ByteBuffer slice = weights.slice((int) array.offset(), count * Float.BYTES);
    slice.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    return values;
  }

  private static IllegalArgumentException truncated(int length) {
    return new IllegalArgumentException("the network file is truncated after " + length + " bytes");
  }
}
