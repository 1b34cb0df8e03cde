package dev.featx.nets.openvino;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.Structure;
import com.sun.jna.ptr.PointerByReference;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * The functions of OpenVINO's C library (openvino/c/*.h) that Featx calls.
 *
 * <p>The library comes from the PyPI package; the property {@code featx.openvino} names its folder.
 */
interface OpenVino extends Library {
  String FOLDER = "featx.openvino";
  int F32 = 4; // ov_element_type_e

  /** ov_shape_t, a shape passed by value. */
  @Structure.FieldOrder({"rank", "dims"})
  class Shape extends Structure implements Structure.ByValue {
    public long rank;
    public Pointer dims;
  }

  /** ov_partial_shape_t, whose rank is a dimension too. */
  @Structure.FieldOrder({"rankMin", "rankMax", "dims"})
  class PartialShape extends Structure {
    public long rankMin;
    public long rankMax;
    public Pointer dims;

    /** For functions that take it by value. */
    public static final class Value extends PartialShape implements Structure.ByValue {}
  }

  /** ov_property_t. */
  @Structure.FieldOrder({"key", "value"})
  class Property extends Structure {
    public String key;
    public String value;
  }

  int ov_core_create(PointerByReference core);

  int ov_core_read_model_from_memory_buffer(
      Pointer core, Pointer text, long length, Pointer weights, PointerByReference model);

  int ov_partial_shape_create_static(long rank, long[] dims, PartialShape shape);

  void ov_partial_shape_free(PartialShape shape);

  int ov_model_reshape_single_input(Pointer model, PartialShape.Value shape);

  int ov_core_compile_model_props(
      Pointer core, Pointer model, String device, long count, Property properties, PointerByReference compiled);

  void ov_model_free(Pointer model);

  int ov_compiled_model_create_infer_request(Pointer compiled, PointerByReference request);

  void ov_compiled_model_free(Pointer compiled);

  int ov_tensor_create_from_host_ptr(int type, Shape shape, Pointer data, PointerByReference tensor);

  int ov_infer_request_set_input_tensor_by_index(Pointer request, long index, Pointer tensor);

  int ov_infer_request_infer(Pointer request);

  int ov_infer_request_get_output_tensor_by_index(Pointer request, long index, PointerByReference tensor);

  int ov_tensor_data(Pointer tensor, PointerByReference data);

  void ov_tensor_free(Pointer tensor);

  void ov_infer_request_free(Pointer request);

  String ov_get_last_err_msg();

  /** Loads the library, once per JVM. */
  static OpenVino load() {
    return Loaded.LIBRARY;
  }

  /** Holds the library. */
  final class Loaded {
    private static final OpenVino LIBRARY = Native.load(file(), OpenVino.class);

    private Loaded() {}

    private static String file() {
      String folder = System.getProperty(FOLDER);
      if (folder == null) {
        throw new IllegalStateException("the property " + FOLDER + " must name the folder of OpenVINO's libraries");
      }
      try (var files = Files.list(Path.of(folder))) {
        List<Path> libraries = files.filter(path -> path.getFileName().toString().startsWith("libopenvino_c.so")).toList();
        if (!libraries.isEmpty()) {
          return libraries.get(0).toString();
        }
      } catch (IOException e) {
        throw new IllegalStateException("cannot read OpenVINO's folder " + folder + ": " + e.getMessage(), e);
      }
      throw new IllegalStateException("libopenvino_c.so not found in " + folder);
    }
  }
}
